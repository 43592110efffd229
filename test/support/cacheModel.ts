// cacheModel.ts: what must be true of a KV cache and its decoder, as plain arrays.
import {
  DestroyedError,
  DeviceLostError,
  ShapeError,
  type DecodeKernel,
  type GqaError,
  type KvType,
} from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import { storeProblem, type StoredProblem } from '../../src/reference/problem.ts';

export const LAYERS = 2;
export const CACHE = { batch: 3, numKvHeads: 2, headDim: 64, capacity: 12 } as const;
const HEADS = CACHE.batch * CACHE.numKvHeads;
export const Q_HEADS = 4;

/** What differs between the caches and decoders that sequences of calls run on. */
export interface Setup {
  readonly kType: KvType;
  readonly vType: KvType;
  /** Undefined: the decoder's own choice. */
  readonly kernel: DecodeKernel | undefined;
  readonly qLen: number;
  /** Tokens of a page; left out, the cache has none. */
  readonly pageSize?: number;
}

export type ErrorClass = new (...args: never[]) => GqaError;

/** Random rows of new tokens: [B, Hkv, numTokens, D]. */
export function newRows(seed: number, numTokens: number): Float32Array<ArrayBuffer> {
  return normals(seed, HEADS * numTokens * CACHE.headDim);
}

/** A sequence of a layer. */
interface SequenceModel {
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly kvLen: number;
}

/** Elements of a sequence. */
const SEQUENCE = CACHE.numKvHeads * CACHE.capacity * CACHE.headDim;

/** The same number of tokens for each sequence. */
export const evenCounts = (count: number): readonly number[] =>
  Array.from({ length: CACHE.batch }, () => count);

/** What a layer holds: the values [B, Hkv, C, D] before they are rounded, and the length of each sequence. */
class LayerModel {
  readonly k = newRows(1, CACHE.capacity).fill(1e3);
  readonly v = newRows(1, CACHE.capacity).fill(1e3);
  lens: number[] = Array.from({ length: CACHE.batch }, () => 0);
  /** Appends and forks, with those that were abandoned and without. */
  recorded = 0;
  executed = 0;

  /** Appends the first `counts[b]` of the rows [B, Hkv, numTokens, D]; all of them by default. */
  append(k: Float32Array, v: Float32Array, numTokens: number, counts = evenCounts(numTokens)): void {
    const [{ capacity, headDim, numKvHeads }, size] = [CACHE, numTokens * CACHE.headDim];
    for (let head = 0; head < HEADS; head++) {
      const b = Math.floor(head / numKvHeads);
      const at = (head * capacity + this.lens[b]!) * headDim;
      const end = head * size + counts[b]! * headDim;
      this.k.set(k.subarray(head * size, end), at);
      this.v.set(v.subarray(head * size, end), at);
    }
    this.lens = this.lens.map((kvLen, b) => kvLen + counts[b]!);
    this.recorded++;
    this.executed++;
  }

  /** `isCopied`: of pages nothing is copied. */
  fork(from: number, to: number, isCopied: boolean): void {
    if (isCopied && this.lens[from]! > 0) {
      this.recorded++;
      this.executed++;
    }
    this.put(to, this.take(from));
  }

  /** What a sequence holds, and more: all its slots. */
  take(b: number): SequenceModel {
    const [at, size] = [b * SEQUENCE, SEQUENCE];
    return { k: this.k.slice(at, at + size), v: this.v.slice(at, at + size), kvLen: this.lens[b]! };
  }

  put(b: number, { k, v, kvLen }: SequenceModel): void {
    this.k.set(k, b * SEQUENCE);
    this.v.set(v, b * SEQUENCE);
    this.lens[b] = kvLen;
  }

  load(k: Float32Array, v: Float32Array, kvLens: readonly number[]): void {
    this.k.set(k);
    this.v.set(v);
    this.lens = [...kvLens];
  }
}

const newLayers = () => Array.from({ length: LAYERS }, () => new LayerModel());

/** What must be true of the real cache. */
export class CacheModel {
  layers = newLayers();
  /** The sequences of the last snapshot, of each layer. */
  saved: { readonly sequences: readonly number[]; readonly layers: readonly SequenceModel[][] } | undefined;
  isLost = false;
  hasCache = true;
  hasDecoder = true;

  readonly setup: Setup;

  constructor(setup: Setup) {
    this.setup = setup;
  }

  /** What every call of the cache throws now, if any does. */
  cacheError(): ErrorClass | undefined {
    if (!this.hasCache) return DestroyedError;
    return this.isLost ? DeviceLostError : undefined;
  }

  /** What every call of the decoder throws now, if any does. */
  decoderError(): ErrorClass | undefined {
    return this.hasDecoder ? this.cacheError() : DestroyedError;
  }

  roomError(layer: number, numTokens: number | readonly number[]): ErrorClass | undefined {
    const counts = typeof numTokens === 'number' ? evenCounts(numTokens) : numTokens;
    const fits = this.layers[layer]!.lens.every((kvLen, b) => kvLen + counts[b]! <= CACHE.capacity);
    return fits ? undefined : ShapeError;
  }

  fork(from: number, to: number): void {
    for (const layer of this.layers) layer.fork(from, to, this.setup.pageSize === undefined);
  }

  save(sequences: readonly number[]): void {
    this.saved = { sequences, layers: this.layers.map((layer) => sequences.map((b) => layer.take(b))) };
  }

  /** Puts the saved sequences back, or the only one in the place of `target`. */
  restore(target?: number): void {
    const { sequences, layers } = this.saved!;
    layers.forEach((saved, layer) => {
      saved.forEach((each, i) => this.layers[layer]!.put(target ?? sequences[i]!, each));
    });
  }

  /** The lengths that a step attends to, its own tokens included. */
  stepLens(): number[] {
    return this.layers[0]!.lens.map((kvLen) => kvLen + this.setup.qLen);
  }

  /** Whether nothing is in the way of a step of all layers. */
  canStep(): boolean {
    if (this.decoderError()) return false;
    const { qLen } = this.setup;
    return this.layers.every(
      ({ lens }, layer) =>
        !this.roomError(layer, qLen) && this.stepLens().every((kvLen, b) => kvLen <= lens[b]! + qLen),
    );
  }

  /** Another cache, of the same setup. */
  renew(): void {
    this.layers = newLayers();
    this.hasCache = this.hasDecoder = true;
  }

  /** The attention over the first `kvLens` tokens of a layer. */
  problem(layer: number, kvLens: readonly number[], q: Float32Array<ArrayBuffer>): StoredProblem {
    const { kType, vType, qLen } = this.setup;
    const { k, v } = this.layers[layer]!;
    return storeProblem({ ...CACHE, numQHeads: Q_HEADS, qLen, kType, vType, kvLens, q, k, v });
  }
}
