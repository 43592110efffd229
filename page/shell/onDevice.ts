// onDevice.ts: what every worker of the page does: a job on a device of its own, whose end the page hears of.
import { messageOf, NoAdapterError } from '../../src/device/errors.ts';
import { fullDescriptor } from '../../src/device/deviceRequest.ts';
import { openDevice, type GqaDevice } from '../../src/index.ts';
import { codeOf, lossOr } from '../../bench/run/endedEarly.ts';

/** A job's last word when it failed. */
export interface Failed {
  readonly type: 'failed';
  readonly code: string;
  readonly message: string;
}

/** Opens a device, does a job on it, and posts how it ended. */
export async function onDevice<M>(
  post: (message: M | Failed) => void,
  job: (device: GqaDevice) => Promise<M>,
): Promise<void> {
  let device: GqaDevice | undefined;
  try {
    device = await openDevice(workerGpu(), {
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

/** A page may have WebGPU where its workers have not. */
function workerGpu(): GPU {
  const gpu = navigator.gpu as GPU | undefined;
  if (gpu) return gpu;
  throw new NoAdapterError(
    'This browser gives WebGPU to pages, but not to their workers, where this page does all work that takes long.',
    { hint: 'Update the browser; Chrome 113, Firefox 141, Safari 26 and later have it in both.' },
  );
}

export function failure(error: unknown): Failed {
  return { type: 'failed', code: codeOf(error), message: messageOf(error) };
}

export function postToPage(message: unknown): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's page has no origin to name
  globalThis.postMessage(message);
}
