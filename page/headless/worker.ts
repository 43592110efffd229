// worker.ts: a run that Node asks for: says on what it would be, runs what it is given, and says what comes of it.
import { isSoftware, type GqaDevice } from '../../src/index.ts';
import { GqaError } from '../../src/device/errors.ts';
import { runBench, type BenchEvent } from '../../bench/run/run.ts';
import {
  fromText,
  pathsOf,
  toText,
  type ChromeRequest,
  type FromChrome,
  type Ready,
} from '../../bench/chrome/protocol.ts';
import { exactBrowser } from '../shell/browser.ts';
import { failure, onDevice } from '../shell/onDevice.ts';

globalThis.addEventListener('message', ({ data }: MessageEvent<string>) => {
  const { stop, say } = pathsOf(data);
  const tell = (message: FromChrome) => ask(say, toText(message));
  const stopped = new AbortController();
  void ask(stop).then((reason) => stopped.abort(new GqaError('interrupted', reason)));
  void onDevice<FromChrome>(
    (last) => void tell(last),
    (device) => run(device, tell, stopped.signal),
  );
});

async function ask(path: string, body = ''): Promise<string> {
  const response = await fetch(path, { method: 'POST', body });
  return response.text();
}

async function run(
  device: GqaDevice,
  tell: (message: FromChrome) => Promise<string>,
  signal: AbortSignal,
): Promise<FromChrome> {
  const request = fromText(await tell(await ready(device))) as ChromeRequest;
  const events = runBench(device, { ...request, signal });
  let failed: Extract<BenchEvent, { type: 'failed' }> | undefined;
  for (;;) {
    const { done, value } = await events.next();
    if (done) return failed ? { ...failure(failed.error), result: value } : { type: 'done', result: value };
    if (value.type === 'failed') failed = value;
    else if (value.type === 'progress' || value.type === 'soFar') await tell(value);
  }
}

async function ready(device: GqaDevice): Promise<Ready> {
  const { adapterInfo: info } = device.gpu;
  return {
    type: 'ready',
    adapterName: info.description || info.device || `${info.vendor} ${info.architecture}`.trim(),
    software: isSoftware(info),
    runtime: await exactBrowser(navigator),
    crossOriginIsolated: globalThis.crossOriginIsolated,
  };
}
