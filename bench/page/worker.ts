// worker.ts: the run itself, off the page's thread: making and checking inputs takes seconds and would freeze the page.
import { GqaError, openDevice, type GqaDevice } from '../../src/index.ts';
import { runBench } from '../run.ts';
import { fullDescriptor } from '../deviceRequest.ts';
import type { FromWorker, RunRequest, ToWorker } from './protocol.ts';

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
  if (data.type === 'start') void run(data.request);
});

async function run(request: RunRequest): Promise<void> {
  let device: GqaDevice | undefined;
  try {
    device = await openDevice(navigator.gpu, {
      powerPreference: 'high-performance',
      descriptor: fullDescriptor,
    });
    const events = runBench(device, { ...request, guard });
    for (;;) {
      const { done, value } = await events.next();
      if (done) return post({ type: 'done', result: value });
      const drawn = new Promise<void>((resolve) => (next = resolve));
      post(value);
      await drawn;
    }
  } catch (error) {
    post(failure((await lossOf(device)) ?? error));
  } finally {
    device?.destroy();
  }
}

/** A lost device makes other calls fail first, with worse messages; its own is then on its way. */
function lossOf(device: GqaDevice | undefined): Promise<GqaError | undefined> {
  const soon = new Promise<undefined>((resolve) => setTimeout(resolve, 300));
  return Promise.race([device?.lost, soon]);
}

function failure(error: unknown): FromWorker {
  const message = error instanceof Error ? error.message : String(error);
  return { type: 'failed', code: error instanceof GqaError ? error.code : 'unexpected', message };
}
