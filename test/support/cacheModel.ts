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
export const CACHE = { batch: 2, numKvHeads: 2, headDim: 64, capacity: 12 } as const;
const HEADS = CACHE.batch * CACHE.numKvHeads;
export const Q_HEADS = 4;

/** What differs between the caches and decoders that sequences of calls run on. */
export interface Setup {
  readonly kType: KvType;
  readonly vType: KvType;
  /** Undefined: the decoder's own choice. */
  readonly kernel: DecodeKernel | undefined;
  readonly qLen: number;
}

export type ErrorClass = new (...args: never[]) => GqaError;

/** Random rows of new tokens: [B, Hkv, numTokens, D]. */
export function newRows(seed: number, numTokens: number): Float32Array<ArrayBuffer> {
  return normals(seed, HEADS * numTokens * CACHE.headDim);
}

/** What a layer holds: the values [B, Hkv, C, D] before they are rounded, and the length of each sequence. */
class LayerModel {
  readonly k = newRows(1, CACHE.capacity).fill(1e3);
  readonly v = newRows(1, CACHE.capacity).fill(1e3);
  lens: number[] = [0, 0];
  /** Appends, with those that were abandoned and without. */
  recorded = 0;
  executed = 0;

  append(k: Float32Array, v: Float32Array, numTokens: number): void {
    const [{ capacity, headDim, numKvHeads }, size] = [CACHE, numTokens * CACHE.headDim];
    for (let head = 0; head < HEADS; head++) {
      const at = (head * capacity + this.lens[Math.floor(head / numKvHeads)]!) * headDim;
      this.k.set(k.subarray(head * size, (head + 1) * size), at);
      this.v.set(v.subarray(head * size, (head + 1) * size), at);
    }
    this.lens = this.lens.map((kvLen) => kvLen + numTokens);
    this.recorded++;
    this.executed++;
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

  roomError(layer: number, numTokens: number): ErrorClass | undefined {
    const fits = this.layers[layer]!.lens.every((kvLen) => kvLen + numTokens <= CACHE.capacity);
    return fits ? undefined : ShapeError;
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
