// worker.ts: the run itself, off the page's thread: making and checking inputs takes seconds and would freeze the page.
import { messageOf } from '../src/device/errors.ts';
import { openDevice, type GqaDevice } from '../src/index.ts';
import { codeOf, lossOr } from '../bench/run/endedEarly.ts';
import { runBench, type BenchEvent } from '../bench/run/run.ts';
import { tune, type Tuned } from '../bench/tune/tune.ts';
import { fullDescriptor } from '../src/device/deviceRequest.ts';
import type { FromWorker, PageEvent, RunRequest, ToWorker, TuneRequest } from './protocol.ts';

/** Is the tab visible, and was it hidden at any time since the last question? */
class TabGuard {
  #visible = true;
  #interrupted = false;
  #wake = () => {};

  set visible(visible: boolean) {
    this.#visible = visible;
    if (visible) this.#wake();
    else this.#interrupted = true;
  }

  async wait(): Promise<void> {
    while (!this.#visible) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  interrupted(): boolean {
    const interrupted = this.#interrupted;
    this.#interrupted = !this.#visible;
    return interrupted;
  }
}

const guard = new TabGuard();
let next = () => {};

function post(message: FromWorker): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's page has no origin to name
  globalThis.postMessage(message);
}

globalThis.addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === 'next') return next();
  guard.visible = data.visible;
  if (data.type === 'start') void work((device) => run(device, data.request));
  if (data.type === 'tune') void work((device) => tuneAll(device, data.request));
});

/** Opens a device, does one job on it, and says how it ended. */
async function work(job: (device: GqaDevice) => Promise<FromWorker>): Promise<void> {
  let device: GqaDevice | undefined;
  try {
    device = await openDevice(navigator.gpu, {
      powerPreference: 'high-performance',
      descriptor: fullDescriptor,
    });
    post(await job(device));
  } catch (error) {
    post(failure(await lossOr(device, error)));
  } finally {
    device?.destroy();
  }
}

/** Says it and waits until the page has drawn it. */
async function say(event: PageEvent): Promise<void> {
  const drawn = new Promise<void>((resolve) => (next = resolve));
  post(event);
  await drawn;
}

async function run(device: GqaDevice, request: RunRequest): Promise<FromWorker> {
  const events = runBench(device, { ...request, guard });
  let failed: Extract<BenchEvent, { type: 'failed' }> | undefined;
  for (;;) {
    const { done, value } = await events.next();
    if (done) return failed ? { ...failure(failed.error), result: value } : { type: 'done', result: value };
    if (value.type === 'failed') failed = value;
    else if (value.type !== 'soFar') await say(value);
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
      });
    }
  }
  return { type: 'tuned', found };
}

function failure(error: unknown): Extract<FromWorker, { type: 'failed' }> {
  return { type: 'failed', code: codeOf(error), message: messageOf(error) };
}
