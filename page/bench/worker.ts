// worker.ts: the run itself, off the page's thread: making and checking inputs takes seconds and would freeze the page.
import { GqaError, type GqaDevice } from '../../src/index.ts';
import { runBench, type BenchEvent } from '../../bench/run/run.ts';
import { tune, type Tuned } from '../../bench/tune/tune.ts';
import { failure, onDevice, postToPage } from '../shell/onDevice.ts';
import type { FromWorker, PageEvent, RunRequest, ToWorker, TuneRequest } from './protocol.ts';
import { TabGuard } from '../shell/tabGuard.ts';

const guard = new TabGuard();
const post = (message: FromWorker) => postToPage(message);
const stopped = new AbortController();
let next = () => {};

globalThis.addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === 'next') return next();
  if (data.type === 'stop') return stopped.abort(new GqaError('interrupted', 'stopped on the page'));
  guard.visible = data.visible;
  if (data.type === 'start') void onDevice(post, (device) => run(device, data.request));
  if (data.type === 'tune') void onDevice(post, (device) => tuneAll(device, data.request));
});

/** Says it and waits until the page has drawn it. */
async function say(event: PageEvent): Promise<void> {
  const drawn = new Promise<void>((resolve) => (next = resolve));
  post(event);
  await drawn;
}

async function run(device: GqaDevice, request: RunRequest): Promise<FromWorker> {
  const events = runBench(device, { ...request, guard, signal: stopped.signal });
  let failed: Extract<BenchEvent, { type: 'failed' }> | undefined;
  for (;;) {
    const { done, value } = await events.next();
    if (done) return failed ? { ...failure(failed.error), result: value } : { type: 'done', result: value };
    if (value.type === 'failed') failed = value;
    else await say(value);
  }
}

async function tuneAll(device: GqaDevice, { classes, seed }: TuneRequest): Promise<FromWorker> {
  const found: Tuned[] = [];
  for (const [index, workloads] of classes.entries()) {
    const trials = tune(device, { workloads, seed, guard });
    for (;;) {
      const { done, value } = await trials.next();
      if (done) {
        found.push(value);
        break;
      }
      await say({
        type: 'progress',
        text: `tried ${value.name}`,
        done: index,
        total: classes.length,
        share: index / classes.length,
        soFar: [],
      });
    }
  }
  return { type: 'tuned', found };
}
