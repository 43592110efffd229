// standardRun.ts: the standard run: what `gqa bench` and the page measure when nothing else is asked for.
import { findPreset } from '../../src/models/presets.ts';
import { DEFAULT_SEED } from '../../src/numbers/random.ts';
import { spectrum, type RowOptions } from './rows.ts';

/** Its depths, on a GPU and on a software adapter. */
export const STANDARD_DEPTHS = { gpu: [1024, 4096, 16384], software: [256, 512, 1024] } as const;

const MODEL = findPreset('llama-3.1-8b');

/** All of it but the depths, which hang on the adapter. */
export const STANDARD_RUN = {
  model: MODEL.name,
  heads: MODEL.numQHeads,
  kvHeads: spectrum(MODEL.numQHeads, MODEL.numKvHeads),
  headDim: MODEL.headDim,
  batches: [1],
  caches: ['cold'],
  kTypes: ['f16'],
  vTypes: ['f16'],
  kernels: ['auto'],
  seed: DEFAULT_SEED,
  check: true,
} as const satisfies Omit<RowOptions, 'depths'> & { seed: number; check: boolean };
