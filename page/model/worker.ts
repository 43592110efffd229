// worker.ts: runs models off the page's thread: reads their files, decodes, and tells of each token.
import { DeviceLostError, GqaError } from '../../src/device/errors.ts';
import type { GqaDevice } from '../../src/index.ts';
import { checkTexts } from '../../src/models/decoder/contextArgs.ts';
import { growingText } from '../../src/models/growingText.ts';
import type { MeasuredText } from '../../bench/model/generated.ts';
import { measureGeneration, tokensPerSecond } from '../../bench/model/generation.ts';
import { openFiles } from '../../bench/model/openFiles.ts';
import type { TextTokens } from '../../bench/model/text.ts';
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
  readonly measured: TextToMeasure;
  readonly options: GenerateRequest['options'];
  readonly cacheType: GenerateRequest['cacheType'];
}

/** One variant after the other, each alone on the device: two would share its time. */
async function generate(device: GqaDevice, request: GenerateRequest): Promise<FromModelWorker> {
  const { folder, options, cacheType, variants } = request;
  const text = typeof request.prompt === 'string' ? await tokenizerOf(folder) : undefined;
  const prompt = typeof request.prompt === 'string' ? text!.encode(request.prompt) : request.prompt;
  const measured = encodeMeasured(text, request.measured);
  if (prompt.length === 0) throw new GqaError('input', 'The prompt has no tokens.');
  const { open } = await openFiles(folder.files, folder.name);
  const { vocabSize } = (await open(undefined)).spec;
  // Before weights are loaded for nothing.
  checkTexts('prompt', [prompt], [0], { capacity: prompt.length, vocabSize });
  for (const index of variants.keys()) {
    try {
      await generateOne({ device, open, prompt, text, measured, options, cacheType }, request, index);
    } catch (error) {
      const cause = await lossOr(device, error);
      // A lost device is no matter of this variant alone.
      if (cause instanceof DeviceLostError || !(error instanceof GqaError)) throw cause;
      post({ type: 'refused', index, message: faultText(error) });
    }
  }
  return { type: 'done' };
}

/** A text whose loss is measured, none for []; or why it cannot be read by the model's tokenizer. */
interface TextToMeasure {
  readonly tokens: readonly number[];
  readonly fault?: string;
}

/** The text may be one that the reader has not thought of: that a tokenizer has no tokens for it keeps nothing else from being done. */
function encodeMeasured(text: TextTokens | undefined, measured: string): TextToMeasure {
  try {
    return { tokens: measured === '' ? [] : (text?.encode(measured) ?? []) };
  } catch (error) {
    if (!(error instanceof GqaError)) throw error;
    return { tokens: [], fault: error.message };
  }
}

/** Tokens that a model sees at once while a text is measured: every model has learned as many. */
const WINDOW = 128;

/** The loss on a text; undefined for too short a one, and for a model whose decoder needs a source. */
async function measureText(
  { context, spec }: RunningVariant,
  tokens: readonly number[],
  onProgress: (share: number) => void,
): Promise<MeasuredText | undefined> {
  if (spec.encoder || tokens.length < 2) return undefined;
  const window = Math.min(WINDOW, tokens.length);
  const { nll, tokens: counted } = await context.perplexity(tokens, { window, onProgress });
  context.truncate(0, 0);
  return { nll, tokens: counted, window };
}

function generateOne(task: Task, { variants }: GenerateRequest, index: number): Promise<void> {
  const { device, open, prompt, measured, options, cacheType } = task;
  const capacity = Math.max(prompt.length + options.maxTokens, Math.min(WINDOW, measured.tokens.length));
  return withVariant(device, open, variants[index]!, {
    options: { capacity, kType: cacheType },
    onProgress: (text, share) =>
      post({ type: 'progress', index, text, ...(share !== undefined && { share }) }),
    use: (running) => runOne(task, running, index),
  });
}

async function runOne(
  { prompt, text, measured: toMeasure, options }: Task,
  running: RunningVariant,
  index: number,
): Promise<void> {
  const growing = text && growingText(text.decode);
  const measured = await measureText(running, toMeasure.tokens, (share) =>
    post({ type: 'progress', index, text: 'measuring the text', share }),
  );
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
      ...(measured && { measured }),
      ...(toMeasure.fault !== undefined && { measuredFault: toMeasure.fault }),
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
      ...(measured && { measured }),
      wasHidden,
    },
  });
}
