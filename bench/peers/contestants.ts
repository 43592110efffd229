// contestants.ts: who takes part in a comparison: an engine in a place. Data and names only.
import type { PeerType } from './inputs.ts';

/** Where a contestant runs. */
export type Place = 'node' | 'chromium';

/** What computes. `ours` is this project's default kernel, `plain` its three simple steps. */
export type EngineName = 'ours' | 'plain' | 'ort-web' | 'ort-cpu' | 'jax-js';

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
};

const WEBGPU_ENGINES: readonly EngineName[] = ['ours', 'plain', 'ort-web', 'jax-js'];

/** Everybody: the WebGPU engines in both places, and onnxruntime on the CPU. */
export const CONTESTANTS: readonly Contestant[] = [
  ...WEBGPU_ENGINES.map((engine) => contestant(engine, 'node')),
  contestant('ort-cpu', 'node'),
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

/** Who can be compared by steps of training. */
export function trains({ engine, place }: Contestant): boolean {
  return place === 'node' && (engine === 'ours' || engine === 'jax-js');
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
