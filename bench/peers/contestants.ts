// contestants.ts: who takes part in a comparison: an engine in a place. Data and names only.
import type { PeerType } from './inputs.ts';

/** Where a contestant runs. */
export type Place = 'node' | 'chromium';

/** What computes. `ours` is this project's default kernel, `plain` its three simple steps. */
export type EngineName = WebgpuEngine | 'ort-cpu' | LlamaCpp;

/** Those that run wherever there is WebGPU. */
export type WebgpuEngine = 'ours' | 'plain' | 'ort-web' | 'jax-js';

/** Of whole models alone. */
type LlamaCpp = 'llama.cpp-vulkan' | 'llama.cpp-cpu';

/** One column of the comparison. */
export interface Contestant {
  readonly engine: EngineName;
  readonly place: Place;
  /** The package to be installed; none for this project's own kernels. */
  readonly package?: string;
}

const PACKAGES: Readonly<Partial<Record<EngineName, string>>> = {
  'ort-web': 'onnxruntime-web',
  'ort-cpu': 'onnxruntime-node',
  'jax-js': '@jax-js/jax',
  'llama.cpp-vulkan': 'node-llama-cpp',
  'llama.cpp-cpu': 'node-llama-cpp',
};

const LLAMA_CPP: readonly EngineName[] = ['llama.cpp-vulkan', 'llama.cpp-cpu'];

const WEBGPU_ENGINES: readonly WebgpuEngine[] = ['ours', 'plain', 'ort-web', 'jax-js'];

/** Everybody: the WebGPU engines in both places, onnxruntime on the CPU, and llama.cpp. */
export const CONTESTANTS: readonly Contestant[] = [
  ...WEBGPU_ENGINES.map((engine) => contestant(engine, 'node')),
  contestant('ort-cpu', 'node'),
  ...LLAMA_CPP.map((engine) => contestant(engine, 'node')),
  ...WEBGPU_ENGINES.map((engine) => contestant(engine, 'chromium')),
];

function contestant(engine: EngineName, place: Place): Contestant {
  const name = PACKAGES[engine];
  return { engine, place, ...(name && { package: name }) };
}

/** The type an engine computes in over a cache of `type`: this project's kernels stay in f32, peers follow the cache. */
export function arithmeticOf(engine: EngineName, type: PeerType): PeerType {
  return engine === 'ours' || engine === 'plain' ? 'f32' : type;
}

/** Who can be compared by steps of attention alone. */
export function attends({ engine }: Contestant): boolean {
  return !LLAMA_CPP.includes(engine);
}

/** Who can be compared by whole models. */
export function generates({ engine }: Contestant): boolean {
  return engine !== 'plain'; // steps of attention alone
}

/** Who can be compared by steps of training. */
export function trains({ engine, place }: Contestant): boolean {
  return place === 'node' && (engine === 'ours' || engine === 'jax-js');
}

/** Whether a browser can have it. */
export function isWebgpuEngine(engine: EngineName): engine is WebgpuEngine {
  return (WEBGPU_ENGINES as readonly EngineName[]).includes(engine);
}

/** `ort-web@chromium`. */
export function contestantName({ engine, place }: Pick<Contestant, 'engine' | 'place'>): string {
  return `${engine}@${place}`;
}

/** What a list of contestants may hold: names, engines (in every place) and places (with every engine). */
export const CONTESTANT_WORDS: readonly string[] = [
  ...new Set(CONTESTANTS.flatMap((each) => [each.engine, each.place, contestantName(each)])),
];

/** The contestants that words stand for, in the usual order. */
export function selectContestants(words: readonly string[]): Contestant[] {
  return CONTESTANTS.filter((each) =>
    words.some((word) => word === each.engine || word === each.place || word === contestantName(each)),
  );
}
