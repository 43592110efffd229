// dawnPolling.ts: keeps Dawn's polling off the processor in all tests that run in Node; a setup file.
import { sleepIn } from '../../src/node/quiet.ts';

// While a WebGPU promise is pending, Dawn's Node binding asks "done?" in every turn of the event loop. A software adapter
// compiles and computes on the core that this takes. `quietWait` would make every turn of a test sleep; here only those
// do that follow on another with nothing in between.

/** Between two polls of an idle loop there is less. */
const IDLE_MS = 0.1;

let idleSince = 0;
let polled = 0;

function poll(askDawn: () => void): void {
  const now = performance.now();
  if (now - polled > IDLE_MS) idleSince = now;
  sleepIn(now - idleSince);
  askDawn();
  polled = performance.now();
}

/** Dawn's are native and, unlike what resolves a promise, constructors; it looks `setImmediate` up anew each time. */
const isDawns = (callback: () => void): boolean =>
  'prototype' in callback && Function.prototype.toString.call(callback).includes('[native code]');

const PATCHED = Symbol.for('gqa-webgpu.dawn-polling');

// Once, though each test file runs its setup.
if (!(PATCHED in globalThis)) {
  globalThis.setImmediate = new Proxy(globalThis.setImmediate, {
    apply: (plain, _, [callback, ...args]: [() => void]) =>
      isDawns(callback) ? plain(poll, callback) : plain(callback, ...args),
  });
  Object.assign(globalThis, { [PATCHED]: true });
}
