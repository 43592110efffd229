// checkModel.ts: is a whole model right on this device? Its states, keys and values, logits and tokens against the twin in float64.
import type { WeightType } from '../../src/kernels/model/weightsLib.ts';
import type { ModelContext } from '../../src/models/decoder/context.ts';
import { NAIVE_F32 } from '../../src/models/reference/arithmetic.ts';
import { errorBehindStored, placesOfK, placesOfV } from '../../src/models/reference/storedKv.ts';
import { twinOf, type LayerKv, type TwinRows, type TwinSource } from '../../src/models/reference/twin.ts';
import type { KvType } from '../../src/numbers/elements.ts';
import { largest, within, worstError } from '../../src/reference/verify.ts';
import { traceModel, type ModelTrace } from './modelTrace.ts';

/** The worst error of some rows, the largest magnitude that was expected, and what the error may be. */
export interface RowsError {
  readonly error: number;
  readonly largest: number;
  readonly bound: number;
  readonly pass: boolean;
}

/** The hidden states behind the embedding or behind a layer, from 0; of a layer also the K and V that its cache holds, as they were before they were rounded. */
export interface LayerCheck extends RowsError {
  readonly layer: number | 'embedding';
  readonly k?: RowsError;
  readonly v?: RowsError;
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
  /** Tokens that went through: the prompt's, and what was chosen behind them. */
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
  const divergence = divergenceOf(trace, prompt.length, expected, logits.error);
  const ofLayers = layers.every(({ pass, k, v }) => pass && (k?.pass ?? true) && (v?.pass ?? true));
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
  const kv = new KvChecks(source, context, trace);
  const options = { capacity: context.capacity, ...(weightType !== undefined && { weightType }) };
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
    const got = trace.hidden[layers.length]!;
    const error = errorOf(rows.values, near.values, () => worstError(got, rows.values).error);
    layers.push({ layer: rows.layer ?? 'embedding', ...error, ...kv.last });
    onProgress?.(layers.length / (trace.hidden.length + 1));
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
  /** Of the layer that was checked last; before the first, none. */
  last: Pick<LayerCheck, 'k' | 'v'> = {};
  readonly #trace: ModelTrace;
  readonly #source: TwinSource;
  readonly #types: { readonly k: KvType; readonly v: KvType };
  #exact: LayerKv | undefined;

  constructor(source: TwinSource, { cache }: ModelContext, trace: ModelTrace) {
    this.#source = source;
    this.#trace = trace;
    this.#types = { k: cache.layout.kType, v: cache.layout.vType };
  }

  readonly exact = (layer: number, kv: LayerKv): LayerKv => {
    this.#exact = kv;
    return this.#seen(layer, kv);
  };

  readonly naive = (layer: number, kv: LayerKv): LayerKv => {
    const { attention } = this.#source.spec.layers[layer]!;
    const places = { k: placesOfK(attention), v: placesOfV(attention) };
    const of = (name: 'k' | 'v') => {
      const exact = this.#exact![name];
      const held = this.#trace.kv[layer]![name];
      return errorOf(exact, kv[name], (bound) =>
        errorBehindStored(this.#types[name], held, exact, places[name], bound),
      );
    };
    this.last = { k: of('k'), v: of('v') };
    return this.#seen(layer, kv);
  };

  #seen(layer: number, { k, v }: LayerKv): LayerKv {
    const held = this.#trace.kv[layer]!;
    return { k: this.#types.k === 'f32' ? k : held.k, v: this.#types.v === 'f32' ? v : held.v };
  }
}

/** The first that is a fault, or else the first tie. */
function divergenceOf(
  { chosen }: ModelTrace,
  promptLength: number,
  logits: Float64Array,
  error: number,
): Divergence | undefined {
  const vocab = logits.length / (promptLength + Math.max(0, chosen.length - 1));
  const all: Divergence[] = [];
  for (const [at, device] of chosen.entries()) {
    const row = logits.subarray((promptLength + at - 1) * vocab, (promptLength + at) * vocab);
    const twin = row.reduce((best, z, i) => (z > row[best]! ? i : best), 0);
    if (twin === device) continue;
    const gap = row[twin]! - row[device]!;
    all.push({ at, device, twin, gap, tie: gap <= 2 * error });
  }
  return all.find(({ tie }) => !tie) ?? all[0];
}
