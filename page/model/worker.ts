// worker.ts: runs models off the page's thread: reads their files, decodes, and tells of each token.
import { DeviceLostError, GqaError } from '../../src/device/errors.ts';
import type { GqaDevice } from '../../src/index.ts';
import { checkTexts } from '../../src/models/decoder/contextArgs.ts';
import { measureGeneration, tokensPerSecond } from '../../bench/model/generation.ts';
import { openFiles } from '../../bench/model/openFiles.ts';
import { GrowingText, type TextTokens } from '../../bench/model/text.ts';
import { withVariant, type OpenVariant, type RunningVariant } from '../../bench/model/variants.ts';
import { lossOr } from '../../bench/run/endedEarly.ts';
import { faultText } from '../shell/faultText.ts';
import { onDevice, postToPage } from '../shell/onDevice.ts';
import { TabGuard } from '../shell/tabGuard.ts';
import { describeFolder, tokenizerOf } from './describe.ts';
import type { FromModelWorker, GenerateRequest, ToModelWorker } from './protocol.ts';

const guard = new TabGuard();
const post = (message: FromModelWorker) => postToPage(message);

globalThis.addEventListener('message', ({ data }: MessageEvent<ToModelWorker>) => {
  guard.visible = data.visible;
  if (data.type === 'describe') {
    void onDevice<FromModelWorker>(post, async (device) => ({
      type: 'described',
      facts: await describeFolder(device, data.folder),
    }));
  }
  if (data.type === 'generate')
    void onDevice<FromModelWorker>(post, (device) => generate(device, data.request));
});

/** What a text needs beside the variant that makes it. */
interface Task {
  readonly device: GqaDevice;
  readonly open: OpenVariant;
  readonly prompt: readonly number[];
  readonly text: TextTokens | undefined;
  readonly options: GenerateRequest['options'];
  readonly cacheType: GenerateRequest['cacheType'];
}

/** One variant after the other, each alone on the device: two would share its time. */
async function generate(device: GqaDevice, request: GenerateRequest): Promise<FromModelWorker> {
  const { folder, options, cacheType, variants } = request;
  const text = typeof request.prompt === 'string' ? await tokenizerOf(folder) : undefined;
  const prompt = typeof request.prompt === 'string' ? text!.encode(request.prompt) : request.prompt;
  if (prompt.length === 0) throw new GqaError('input', 'The prompt has no tokens.');
  const { open } = await openFiles(folder.files, folder.name);
  const { vocabSize } = (await open(undefined)).spec;
  // Before weights are loaded for nothing.
  checkTexts('prompt', [prompt], [0], { capacity: prompt.length, vocabSize });
  for (const index of variants.keys()) {
    try {
      await generateOne({ device, open, prompt, text, options, cacheType }, request, index);
    } catch (error) {
      const cause = await lossOr(device, error);
      // A lost device is no matter of this variant alone.
      if (cause instanceof DeviceLostError || !(error instanceof GqaError)) throw cause;
      post({ type: 'refused', index, message: faultText(error) });
    }
  }
  return { type: 'done' };
}

function generateOne(task: Task, { variants }: GenerateRequest, index: number): Promise<void> {
  const { device, open, prompt, options, cacheType } = task;
  return withVariant(device, open, variants[index]!, {
    options: { capacity: prompt.length + options.maxTokens, kType: cacheType },
    onProgress: (text, share) =>
      post({ type: 'progress', index, text, ...(share !== undefined && { share }) }),
    use: (running) => runOne(task, running, index),
  });
}

async function runOne(
  { prompt, text, options }: Task,
  running: RunningVariant,
  index: number,
): Promise<void> {
  const growing = text && new GrowingText(text);
  post({ type: 'progress', index, text: 'reading the prompt' });
  guard.interrupted();
  const generation = await measureGeneration(running, prompt, options, {
    onToken: (token, i) =>
      post({ type: 'text', index, text: growing ? growing.add(token) : `${i === 0 ? '' : ', '}${token}` }),
  });
  const { tokens, promptMs, promptNll, isEnded } = generation;
  const whole = text ? text.decode(tokens) : tokens.join(', ');
  const wasHidden = guard.interrupted();
  const { kvHeads, method, memory, loadMs } = running;
  const rate = tokensPerSecond(generation);
  post({
    type: 'finished',
    index,
    text: whole,
    figures: {
      promptTokens: prompt.length,
      promptMs,
      ...(promptNll !== undefined && { promptNll }),
      tokens: tokens.length,
      ...(rate !== undefined && { tokensPerSecond: rate }),
      kvPerToken: running.memory.kvPerToken,
      isEnded,
      wasHidden,
    },
    generated: {
      kvHeads,
      ...(method !== undefined && { method }),
      memory,
      loadMs,
      prompt,
      ...(text && { text: whole }),
      ...generation,
      wasHidden,
    },
  });
}
