// inputs.ts: the data of a shape, the same bytes for every contestant, in the layouts that engines want.
import { cacheLayout } from '../../src/index.ts';
import { f16Bits, f16Values } from '../../src/numbers/halves.ts';
import { randomProblem } from '../../src/reference/problem.ts';
import type { PeerParams } from '../schema/peerSchema.ts';

/** A shape of the comparison: one sequence, and a cache that its step fills, by one token or by a whole prompt. */
export interface PeerShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly depth: number;
  /** Whether a step is a causal prompt of `depth` tokens; else it is one token behind all others. */
  readonly prompt?: boolean;
  readonly type: PeerType;
}

/** Tokens of a shape's step, N. */
export function newTokens({ depth, prompt }: Pick<PeerShape, 'depth' | 'prompt'>): number {
  return prompt ? depth : 1;
}

/** The element types that every engine has, with or without shader-f16. */
export type PeerType = 'f32' | 'f16';

/** Elements as a cache stores them: f32, or the bits of f16. */
export type Stored = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** q f32 [N, Hq, D], already rounded to the shape's type; k and v [Hkv, T, D], the step's own tokens last. */
export interface PeerInputs {
  readonly shape: PeerShape;
  readonly q: Float32Array<ArrayBuffer>;
  readonly k: Stored;
  readonly v: Stored;
}

/** Random normal data. Engines that compute in f16 get the query in f16, so all get the values it then has. */
export function makeInputs(shape: PeerShape, seed: number): PeerInputs {
  const { heads, kvHeads, headDim, depth, type } = shape;
  const problem = randomProblem({
    numQHeads: heads,
    numKvHeads: kvHeads,
    headDim,
    kvLens: [depth],
    kType: type,
    seed,
    qLen: newTokens(shape),
  });
  const [k, v] = [elementsIn(type, problem.kStored), elementsIn(type, problem.vStored)];
  return { shape, q: fromElements(toElements(type, problem.q)), k, v };
}

/** Values as elements of a type. */
export function toElements(type: PeerType, values: Float32Array): Stored {
  return type === 'f32' ? Float32Array.from(values) : Uint16Array.from(values, f16Bits);
}

/** Bytes seen as elements. */
export function elementsIn(
  type: PeerType,
  { buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>,
): Stored {
  if (type === 'f32') return new Float32Array(buffer, byteOffset, byteLength / 4);
  return new Uint16Array(buffer, byteOffset, byteLength / 2);
}

/** The values of elements. */
export function fromElements(stored: Stored): Float32Array<ArrayBuffer> {
  return stored instanceof Float32Array ? stored.slice() : f16Values(stored);
}

/** Bytes of K and V of a shape: what one step has to read. */
export function kvBytes({ kvHeads, headDim, depth, type }: PeerShape): number {
  return cacheLayout({ numKvHeads: kvHeads, headDim, capacity: depth, kType: type }).totalBytes;
}

/** The shape as results state it. */
export function peerParams({ type, prompt, ...shape }: PeerShape): PeerParams {
  return { ...shape, ...(prompt && { prompt: shape.depth }), batch: 1, capacity: shape.depth, type };
}

const NAN_BITS: Readonly<Record<PeerType, number>> = { f32: NaN, f16: 0x7e00 };

/** [Hkv, T, D] whose new tokens are NaN: only an engine that writes its step's tokens there computes the right output. */
export function withoutNewTokens(stored: Stored, shape: PeerShape): Stored {
  const { depth, headDim, type } = shape;
  const out = stored.slice();
  for (let end = depth * headDim; end <= out.length; end += depth * headDim)
    out.fill(NAN_BITS[type], end - newTokens(shape) * headDim, end);
  return out;
}

/** The new tokens: [N, Hkv, D] out of [Hkv, T, D]. */
export function tokensOfStep(stored: Stored, shape: PeerShape): Stored {
  const { kvHeads, headDim } = shape;
  const count = newTokens(shape) * kvHeads * headDim;
  return tokensFirst(stored, shape).slice(-count);
}

/** [T, Hkv, D] out of [Hkv, T, D]. */
export function tokensFirst(stored: Stored, { kvHeads, depth, headDim }: PeerShape): Stored {
  const out = stored.slice();
  for (let hk = 0; hk < kvHeads; hk++) {
    for (let t = 0; t < depth; t++) {
      const from = (hk * depth + t) * headDim;
      out.set(stored.subarray(from, from + headDim), (t * kvHeads + hk) * headDim);
    }
  }
  return out;
}

/** q, k and v one after the other, for a place in another process. */
export function packInputs({ q, k, v }: PeerInputs): Uint8Array<ArrayBuffer> {
  const parts = [q, k, v].map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The inverse of `packInputs`. */
export function unpackInputs(shape: PeerShape, packed: ArrayBuffer): PeerInputs {
  const { heads, kvHeads, headDim, depth, type } = shape;
  const count = kvHeads * depth * headDim;
  const queries = newTokens(shape) * heads * headDim;
  const bytes = { q: queries * 4, cache: count * (type === 'f32' ? 4 : 2) };
  if (packed.byteLength !== bytes.q + 2 * bytes.cache) {
    throw new Error(`inputs: expected ${bytes.q + 2 * bytes.cache} bytes, got ${packed.byteLength}`);
  }
  const Elements = type === 'f32' ? Float32Array : Uint16Array;
  return {
    shape,
    q: new Float32Array(packed, 0, queries),
    k: new Elements(packed, bytes.q, count),
    v: new Elements(packed, bytes.q + bytes.cache, count),
  };
}
