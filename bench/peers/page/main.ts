// main.ts: the contestants of a browser page, driven from Node through `globalThis.peers`.
import type { EngineName } from '../contestants.ts';
import type { Engine } from '../engine.ts';
import { unpackInputs, type PeerInputs, type PeerShape } from '../inputs.ts';
import { localLane, type Lane } from '../lane.ts';
import { openWebgpuEngine } from '../webgpuEngines.ts';

type BrowserEngine = Exclude<EngineName, 'ort-cpu'>;

/** What chromiumHost.ts calls: a Host in values that travel between processes. */
export interface PeersPage {
  open(engine: BrowserEngine): Promise<Engine['on']>;
  /** Fetches the shape's data from the server, keeps the lane and returns its step. */
  bind(engine: BrowserEngine, shape: PeerShape, copies: number): Promise<string>;
  time(engine: BrowserEngine, steps: number): Promise<number>;
  output(engine: BrowserEngine, copy: number): Promise<number[]>;
  release(engine: BrowserEngine): Promise<void>;
}

declare global {
  // oxlint-disable-next-line no-var -- a property of globalThis
  var peers: PeersPage;
}

const engines = new Map<BrowserEngine, Engine>();
const lanes = new Map<BrowserEngine, Lane>();

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
    const lane = localLane(await engines.get(name)!.bind(await inputsOf(shape), copies), copies);
    lanes.set(name, lane);
    return lane.step;
  },
  time: (name, steps) => lanes.get(name)!.time(steps),
  output: async (name, copy) => [...(await lanes.get(name)!.output(copy))],
  async release(name) {
    await lanes.get(name)?.release();
    lanes.delete(name);
  },
};
