// main.ts: the page that `gqa bench --runtime chrome` opens: its worker runs the benchmark, as that of the page for people does.
import { pathsOf, toText, type FromChrome } from '../../bench/chrome/protocol.ts';

const token = location.hash.slice(1);
const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
worker.addEventListener('error', ({ message }) => {
  const failed: FromChrome = { type: 'failed', code: 'unexpected', message };
  void fetch(pathsOf(token).say, { method: 'POST', body: toText(failed) });
});
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has no origin to name
worker.postMessage(token);
