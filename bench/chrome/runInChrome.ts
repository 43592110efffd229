// runInChrome.ts: a run of the benchmark in a headless browser, as Node follows it.
import { GqaError, NoAdapterError } from '../../src/device/errors.ts';
import { startHeadless } from '../../src/node/headless.ts';
import { servePage } from '../../src/node/page/pageServer.ts';
import { withPartial } from '../run/endedEarly.ts';
import type { BenchEvent } from '../run/run.ts';
import type { BenchResult } from '../schema/schema.ts';
import { Channel } from './channel.ts';
import { CHROME_PAGE, type ChromeRequest, type FromChrome, type Ready } from './protocol.ts';

/** What to run, once it is known on what. */
export interface ChromeRun {
  /** The folder of the built page. */
  readonly folder: string;
  /** Throws what there is against it. */
  readonly request: (ready: Ready) => ChromeRequest;
  /** Ends the run early. */
  readonly signal: AbortSignal;
}

/** A browser that starts on a busy machine takes seconds; one that hangs gives no sign. */
const START_MS = 120_000;

/**
 * Runs the benchmark in a headless Chromium, Chrome or Edge, and reports as `runBench` does, less ceiling and rows. A browser
 * that crashes ends it with the groups that were finished, as an abort does. Throws NoAdapterError where there is no browser, or
 * no adapter in it.
 */
export async function* runInChrome({
  folder,
  request,
  signal,
}: ChromeRun): AsyncGenerator<BenchEvent, BenchResult> {
  const channel = new Channel();
  const server = await servePage({ folder, answer: channel.answer });
  const stop = () => channel.stop(signal.reason as Error);
  const late = setTimeout(() => channel.fail(noAnswer()), START_MS);
  let browser: Awaited<ReturnType<typeof startHeadless>> | undefined;
  try {
    browser = await startHeadless(`${server.address}${CHROME_PAGE}#${channel.token}`);
    void browser.ended.then((error) => channel.fail(error));
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    return yield* follow(channel, signal, (ready) => {
      clearTimeout(late);
      return request(ready);
    });
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', stop);
    channel.end();
    await browser?.close();
    await server.close();
  }
}

function noAnswer(): GqaError {
  return new GqaError(
    'no-answer',
    `the browser gave no answer within ${START_MS / 1000} s: it hangs, or its WebGPU does`,
  );
}

async function* follow(
  channel: Channel,
  signal: AbortSignal,
  request: ChromeRun['request'],
): AsyncGenerator<BenchEvent, BenchResult> {
  let soFar: BenchResult | undefined;
  try {
    for await (const { message, reply } of channel.messages()) {
      if (message.type === 'done') return message.result;
      if (message.type === 'failed') {
        const isStopped = signal.aborted && message.code === 'interrupted';
        const error = isStopped ? (signal.reason as Error) : errorOf(message);
        if (!message.result) throw error;
        yield { type: 'failed', error };
        return message.result;
      }
      if (message.type === 'ready') {
        reply(request(message));
        continue;
      }
      if (message.type === 'soFar') soFar = message.result;
      yield message;
      reply();
    }
    throw new GqaError('page-gone', 'the page in the browser said no more');
  } catch (error) {
    // Of a browser that has crashed what it had told before is left.
    if (!soFar) throw error;
    yield { type: 'failed', error };
    return withPartial(soFar, error);
  }
}

function errorOf({ code, message }: Extract<FromChrome, { type: 'failed' }>): Error {
  if (code !== 'no-adapter') return new GqaError(code, message);
  // Both hide the driver that a browser brings for machines without a GPU.
  const hiding = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'].find((name) => process.env[name]);
  const hint = hiding ? `unset ${hiding}` : 'open chrome://gpu in this browser, which says why';
  return new NoAdapterError(`the browser has no adapter: ${message}`, { hint });
}
