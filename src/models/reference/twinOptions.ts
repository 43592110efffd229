// twinOptions.ts: what a twin is made of, and how it computes.
import type { WeightType } from '../../kernels/model/weightsLib.ts';
import type { KvType } from '../../numbers/elements.ts';
import type { ModelSpec, TensorReader } from '../decoder/spec.ts';
import type { Arithmetic } from './arithmetic.ts';

/** K and V of a layer, [T, Hkv, D] each. */
export interface LayerKv {
  readonly k: Float64Array;
  readonly v: Float64Array;
}

/** Whose K and V: those of an encoder's layer, of a decoder's, or of a decoder's attention to its source. */
export interface KvPlace {
  readonly of: 'encoder' | 'decoder' | 'cross';
  readonly layer: number;
}

/** How a twin computes. */
export interface TwinOptions {
  /** Tokens that the encoder reads: at least one with an encoder, none without. */
  readonly source?: readonly number[];
  /** Stored type of the matrices. Default: as the checkpoint has them. */
  readonly weightType?: WeightType;
  /** Stored types of K and V. Default f32, and that of K. An encoder's own are f32. */
  readonly kType?: KvType;
  readonly vType?: KvType;
  /** Tokens that the text may come to: LongRoPE's frequencies depend on that. Default: as many as there are. */
  readonly capacity?: number;
  /** Default float64. */
  readonly arithmetic?: Arithmetic;
  /** What attention sees of K and V. Default: what a cache of these types holds of them. */
  readonly kept?: (place: KvPlace, kv: LayerKv) => LayerKv;
}

/** A model that can be computed. */
export type TwinSource = TensorReader & { readonly spec: ModelSpec };
