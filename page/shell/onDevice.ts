// onDevice.ts: what every worker of the page does: a job on a device of its own, whose end the page hears of.
import { messageOf } from '../../src/device/errors.ts';
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

export function failure(error: unknown): Failed {
  return { type: 'failed', code: codeOf(error), message: messageOf(error) };
}

export function postToPage(message: unknown): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's page has no origin to name
  globalThis.postMessage(message);
}
