// worker.ts: trains, converts and trains on off the page's thread, and tells of losses, texts and finished seeds.
import { version } from '../../package.json';
import { reproduce, type LabTraining } from '../../bench/reproduce/run.ts';
import type { ReproduceOptions } from '../../bench/reproduce/options.ts';
import { reproduceOptions } from '../../bench/reproduce/options.ts';
import type { GqaDevice } from '../../src/index.ts';
import type { ModelSource } from '../../src/models/decoder/modelSource.ts';
import { TRAINING_SIZES } from '../../src/train/sizes.ts';
import { adapterFacts } from '../shell/adapterFacts.ts';
import { describeBrowser } from '../shell/browser.ts';
import { onDevice, postToPage } from '../shell/onDevice.ts';
import { STORIES } from '../shell/storiesName.ts';
import { TabGuard } from '../shell/tabGuard.ts';
import { openCheckpointFiles } from './checkpoint.ts';
import { textInTokens } from './labText.ts';
import type { FromLabWorker, LabRequest, ToLabWorker } from './protocol.ts';
import { Sampler } from './sampler.ts';

const guard = new TabGuard();
const post = (message: FromLabWorker) => postToPage(message);

globalThis.addEventListener('message', ({ data }: MessageEvent<ToLabWorker>) => {
  if (data.type === 'pause') {
    guard.paused = data.paused;
    return;
  }
  guard.visible = data.visible;
  if (data.type === 'start') void onDevice<FromLabWorker>(post, (device) => run(device, data.request));
});

async function run(device: GqaDevice, request: LabRequest): Promise<FromLabWorker> {
  post({ type: 'progress', text: 'reading the text', share: 0 });
  const opened = request.original && (await openCheckpointFiles(request.original, STORIES));
  const { text, vocabulary } = textInTokens(request.text, opened?.vocabulary);
  const { kvHeads, methods, alphas, seeds, windows, times, size } = request;
  const given = { size, text, kvHeads, methods, alphas, seeds, windows, times };
  const options = reproduceOptions({ ...given, ...(opened && { original: opened.original }) }, device.facts);
  const context = (options.original?.size ?? TRAINING_SIZES[size]).context;
  const sampler = new Sampler(device, vocabulary, request.sample, context);
  post({ type: 'progress', text: 'compiling', share: 0 });
  const host = {
    context: { version, runtime: describeBrowser(navigator.userAgent), nonStandard: {} },
    adapter: adapterFacts(device).name,
  };
  const result = await reproduce(device, options, host, {
    guard,
    onProgress: (what, share, leftMs) =>
      post({ type: 'progress', text: what, share, ...(leftMs !== undefined && { leftMs }) }),
    onLoss: (loss) => post({ type: 'loss', loss }),
    onModel: async (training, source) => {
      if (isShown(training, options)) await sample(sampler, training, source);
    },
    onSeed: (soFar) => post({ type: 'result', result: soFar }),
  });
  post({ type: 'result', result });
  return { type: 'done' };
}

async function sample(sampler: Sampler, training: LabTraining, source: ModelSource): Promise<void> {
  post({ type: 'sample', sample: { training, text: await sampler.write(source) } });
}

/** Of the first seed: the original, each conversion, and what the longest training of each comes to. The control begins as the original. */
function isShown({ seed, method, alpha }: LabTraining, { seeds, alphas }: ReproduceOptions): boolean {
  if (seed !== seeds[0]) return false;
  if (alpha === undefined || alpha === Math.max(...alphas)) return true;
  return alpha === 0 && method !== undefined;
}
