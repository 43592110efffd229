// main.ts: the contestants of a browser page, driven from Node through `globalThis.peers`.
import type { WebgpuEngine } from '../contestants.ts';
import type { Engine } from '../engine.ts';
import { unpackInputs, type PeerInputs, type PeerShape } from '../inputs.ts';
import { localTarget, type PeerTarget } from '../peerTarget.ts';
import { openWebgpuEngine } from '../webgpuEngines.ts';

/** What chromiumHost.ts calls: a Host in values that travel between processes. */
export interface PeersPage {
  open(engine: WebgpuEngine): Promise<Engine['on']>;
  /** Fetches the shape's data from the server, keeps the target and returns its step. */
  bind(engine: WebgpuEngine, shape: PeerShape, copies: number): Promise<string>;
  time(engine: WebgpuEngine, steps: number): Promise<number>;
  output(engine: WebgpuEngine, copy: number): Promise<number[]>;
  release(engine: WebgpuEngine): Promise<void>;
}

declare global {
  // oxlint-disable-next-line no-var -- a property of globalThis
  var peers: PeersPage;
}

const engines = new Map<WebgpuEngine, Engine>();
const targets = new Map<WebgpuEngine, PeerTarget>();

let held: PeerInputs | undefined;

async function inputsOf(shape: PeerShape): Promise<PeerInputs> {
  if (JSON.stringify(held?.shape) === JSON.stringify(shape)) return held!;
  const response = await fetch('/inputs');
  held = unpackInputs(shape, await response.arrayBuffer());
  return held;
}

globalThis.peers = {
  async open(name) {
    const engine = await openWebgpuEngine(name, navigator.gpu);
    engines.set(name, engine);
    return engine.on;
  },
  async bind(name, shape, copies) {
    const target = localTarget(await engines.get(name)!.bind(await inputsOf(shape), copies), copies);
    targets.set(name, target);
    return target.step;
  },
  time: (name, steps) => targets.get(name)!.time(steps),
  output: async (name, copy) => [...(await targets.get(name)!.output(copy))],
  async release(name) {
    await targets.get(name)?.release();
    targets.delete(name);
  },
};
