// checkModel.ts: is a whole model right on this device? Its states, keys and values, logits and tokens against the twin in float64.
import type { WeightType } from '../../src/kernels/model/weightsLib.ts';
import type { ModelContext } from '../../src/models/decoder/context.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { NAIVE_F32 } from '../../src/models/reference/arithmetic.ts';
import { errorBehindStored, placesOfK, placesOfV } from '../../src/models/reference/storedKv.ts';
import { attentionAt } from '../../src/models/reference/modelParts.ts';
import { twinOf, type Stack, type TwinRows } from '../../src/models/reference/twin.ts';
import type { KvPlace, LayerKv, TwinSource } from '../../src/models/reference/twinOptions.ts';
import { largest, within, worstError } from '../../src/reference/verify.ts';
import { traceModel, type HeldKv, type ModelTrace } from './modelTrace.ts';

/** The worst error of some rows, the largest magnitude that was expected, and what the error may be. */
export interface RowsError {
  readonly error: number;
  readonly largest: number;
  readonly bound: number;
  readonly pass: boolean;
}

/** Checks of K and V, in the order of what they depend on: a layer's own, and those that it has of the source. */
export const KV_CHECKS = ['k', 'v', 'crossK', 'crossV'] as const;
export type KvCheck = (typeof KV_CHECKS)[number];

/** Of K and V that a layer's caches hold, as they were before they were rounded. */
export type KvErrors = { readonly [K in KvCheck]?: RowsError };

/** The hidden states behind the embedding or behind a layer of a stack, from 0. */
export interface LayerCheck extends RowsError, KvErrors {
  readonly stack: Stack;
  readonly layer: number | 'embedding';
}

/** A token that the device chose and the twin, behind the same tokens, would not have. */
export interface Divergence {
  /** Which of the chosen tokens, from 0. */
  readonly at: number;
  readonly device: number;
  readonly twin: number;
  /** How much more the twin has for its own. */
  readonly gap: number;
  /** Whether the logits' errors, of both tokens, can make up for that: then it is no fault. */
  readonly tie: boolean;
}

/** What came of a check. */
export interface ModelCheck {
  readonly pass: boolean;
  /** Tokens that went through: the prompt's, which are an encoder's source, and what was chosen behind them or behind the start token. */
  readonly prompt: readonly number[];
  readonly chosen: readonly number[];
  readonly layers: readonly LayerCheck[];
  readonly logits: RowsError;
  readonly divergence?: Divergence;
}

/** What to check: a source that is still open, and a context of one sequence of its model. */
export interface ModelCheckArgs {
  readonly source: TwinSource;
  readonly context: ModelContext;
  readonly prompt: readonly number[];
  /** Greedy tokens behind the prompt. */
  readonly maxTokens: number;
  /** As the model was loaded. */
  readonly weightType?: WeightType;
  /** Told of the share of layers that were compared. Default: nobody is told. */
  readonly onProgress?: (share: number) => void;
}

/**
 * Bounds as for kernels: twice the worst error of a naive f32 implementation of the same model, and 1e-6 of the largest expected
 * value. Where the cache rounds, both see the K and V that the device has stored, which are checked themselves: each element must
 * be what one within the bound is stored as.
 */
export async function checkModel(args: ModelCheckArgs): Promise<ModelCheck> {
  const { source, context, prompt, maxTokens } = args;
  const trace = await traceModel(context, source.spec, prompt, maxTokens);
  const { layers, logits, expected } = await compare(args, trace);
  const divergence = divergenceOf(trace, expected, logits.error);
  const ofLayers = layers.every((each) => each.pass && KV_CHECKS.every((name) => each[name]?.pass ?? true));
  return {
    pass: ofLayers && logits.pass && (divergence?.tie ?? true),
    prompt,
    chosen: trace.chosen,
    layers,
    logits,
    ...(divergence && { divergence }),
  };
}

async function compare(
  { source, context, weightType, onProgress }: ModelCheckArgs,
  trace: ModelTrace,
): Promise<{ layers: LayerCheck[]; logits: RowsError; expected: Float64Array }> {
  const kv = new KvChecks(source, trace);
  const options = {
    source: trace.source,
    capacity: context.capacity,
    ...(weightType !== undefined && { weightType }),
  };
  const states = [...trace.hidden.encoder, ...trace.hidden.decoder];
  const exact = twinOf(source, trace.tokens, { ...options, kept: kv.exact });
  const naive = twinOf(source, trace.tokens, { ...options, arithmetic: NAIVE_F32, kept: kv.naive });
  const layers: LayerCheck[] = [];
  for await (const rows of exact) {
    const near = (await naive.next()).value as TwinRows;
    if (rows.step === 'logits') {
      const logits = errorOf(rows.values, near.values, () => worstError(trace.logits, rows.values).error);
      return { layers, logits, expected: rows.values };
    }
    if (rows.step !== 'embedding' && rows.step !== 'layer') continue;
    const got = states[layers.length]!;
    const error = errorOf(rows.values, near.values, () => worstError(got, rows.values).error);
    layers.push({ stack: rows.stack, layer: rows.layer ?? 'embedding', ...error, ...kv.take() });
    onProgress?.(layers.length / (states.length + 1));
  }
  throw new Error('a twin without logits');
}

function errorOf(exact: Float64Array, naive: Float64Array, error: (bound: number) => number): RowsError {
  const most = largest(exact);
  const bound = 2 * worstError(naive, exact).error + 1e-6 * most;
  const worst = error(bound);
  return { error: worst, largest: most, bound, pass: within(worst, bound) };
}

/** Checks of K and V, layer by layer: of the exact twin first, then of the naive one. */
class KvChecks {
  readonly #trace: ModelTrace;
  readonly #spec: ModelSpec;
  #exact: LayerKv | undefined;
  #errors: KvErrors = {};

  constructor({ spec }: TwinSource, trace: ModelTrace) {
    this.#spec = spec;
    this.#trace = trace;
  }

  /** Those since it was asked last. */
  take(): KvErrors {
    const errors = this.#errors;
    this.#errors = {};
    return errors;
  }

  readonly exact = (place: KvPlace, kv: LayerKv): LayerKv => {
    this.#exact = kv;
    return this.#seen(place, kv);
  };

  readonly naive = (place: KvPlace, kv: LayerKv): LayerKv => {
    const attention = attentionAt(this.#spec, place);
    const places = { k: placesOfK(attention), v: placesOfV(attention) };
    const held = this.#held(place);
    const of = (name: 'k' | 'v') => {
      const exact = this.#exact![name];
      return errorOf(exact, kv[name], (bound) =>
        errorBehindStored(held.types[name], held[name], exact, places[name], bound),
      );
    };
    const errors = place.of === 'cross' ? { crossK: of('k'), crossV: of('v') } : { k: of('k'), v: of('v') };
    this.#errors = { ...this.#errors, ...errors };
    return this.#seen(place, kv);
  };

  #held({ of, layer }: KvPlace): HeldKv {
    return this.#trace.kv[of][layer]!;
  }

  #seen(place: KvPlace, { k, v }: LayerKv): LayerKv {
    const { types, ...held } = this.#held(place);
    return { k: types.k === 'f32' ? k : held.k, v: types.v === 'f32' ? v : held.v };
  }
}

/** The first that is a fault, or else the first tie. */
function divergenceOf(
  { tokens, chosen }: ModelTrace,
  logits: Float64Array,
  error: number,
): Divergence | undefined {
  const vocab = logits.length / tokens.length;
  const begin = tokens.length - Math.max(0, chosen.length - 1);
  const all: Divergence[] = [];
  for (const [at, device] of chosen.entries()) {
    const row = logits.subarray((begin + at - 1) * vocab, (begin + at) * vocab);
    const twin = row.reduce((best, z, i) => (z > row[best]! ? i : best), 0);
    if (twin === device) continue;
    const gap = row[twin]! - row[device]!;
    all.push({ at, device, twin, gap, tie: gap <= 2 * error });
  }
  return all.find(({ tie }) => !tie) ?? all[0];
}
