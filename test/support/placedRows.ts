// placedRows.ts: rows of heads and positions in buffers of several layouts, by places worked out apart from the engine's.
import type { RowsOptions } from '../../src/kernels/rowPlaces.ts';
import type { RowType } from '../../src/kernels/rowFormats.ts';
import { f16Bits, f16Value } from '../../src/numbers/halves.ts';

/** Sizes of rows [B, H, L, D], of which sequence b has the first lens[b] positions. */
export interface RowSizes {
  readonly heads: number;
  /** L, positions there is room for. */
  readonly most: number;
  readonly lens: readonly number[];
  readonly dim: number;
}

/** A layout: what the engine is told, the element a row begins at, and how many elements a buffer has. */
export interface Placement {
  readonly options: Omit<RowsOptions, 'type'>;
  readonly at: (b: number, h: number, i: number) => number;
  readonly elements: number;
}

/** Elements in front of the rows and between them in the layouts by strides. */
const [FRONT, REST] = [12, 20];

/** Every kind of layout. */
export function placements({ heads, most, lens, dim }: RowSizes): Readonly<Record<string, Placement>> {
  const [batch, width] = [lens.length, heads * dim];
  const tokens = lens.reduce((sum, len) => sum + len, 0);
  const before = (b: number) => lens.slice(0, b).reduce((sum, len) => sum + len, 0);
  const fused = width + REST; // of a token: its heads, and what else a fused buffer has
  return {
    BHLD: {
      options: {},
      at: (b, h, i) => ((b * heads + h) * most + i) * dim,
      elements: batch * most * width,
    },
    BLHD: {
      options: { layout: 'BLHD' },
      at: (b, h, i) => ((b * most + i) * heads + h) * dim,
      elements: batch * most * width,
    },
    packed: {
      options: { layout: 'packed' },
      at: (b, h, i) => ((before(b) + i) * heads + h) * dim,
      elements: tokens * width,
    },
    'a fused buffer': {
      options: { layout: { batch: most * fused, position: fused, head: dim }, offset: FRONT },
      at: (b, h, i) => FRONT + (b * most + i) * fused + h * dim,
      elements: FRONT + batch * most * fused,
    },
    'a packed fused buffer': {
      options: { layout: { position: fused, head: dim }, offset: FRONT },
      at: (b, h, i) => FRONT + (before(b) + i) * fused + h * dim,
      elements: FRONT + tokens * fused,
    },
    'heads first': {
      options: { layout: { head: batch * most * dim, batch: most * dim, position: dim } },
      at: (b, h, i) => ((h * batch + b) * most + i) * dim,
      elements: batch * most * width,
    },
  };
}

/** Runs for each row that is there, with its number in [B, H, L]. */
function eachRow(
  { heads, most, lens }: RowSizes,
  visit: (row: number, b: number, h: number, i: number) => void,
): void {
  for (const [b, len] of lens.entries()) {
    for (let h = 0; h < heads; h++) for (let i = 0; i < len; i++) visit((b * heads + h) * most + i, b, h, i);
  }
}

const NAN_HALF = 0x7e00;

/** Rows [B, H, L, D] in a buffer, NaN all around them. */
export function placed(
  sizes: RowSizes,
  { at, elements }: Placement,
  type: RowType,
  rows: Float32Array,
): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  const f16 = type === 'f16';
  const out = f16 ? new Uint16Array(elements).fill(NAN_HALF) : new Float32Array(elements).fill(NaN);
  eachRow(sizes, (row, b, h, i) => {
    const own = rows.subarray(row * sizes.dim, (row + 1) * sizes.dim);
    out.set(f16 ? Array.from(own, f16Bits) : own, at(b, h, i));
  });
  return out;
}

/** Bits that no kernel writes. */
export const UNTOUCHED = { f32: 0xc7f1_2065, f16: 0xf38d } as const;

/** A buffer of nothing but such bits. */
export function untouched(
  type: RowType,
  elements: number,
): Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  return type === 'f16'
    ? new Uint16Array(elements).fill(UNTOUCHED.f16)
    : new Uint32Array(elements).fill(UNTOUCHED.f32);
}

/** The rows [B, H, L, D] of a buffer that was `untouched`, 0 where there is none. Throws where anything else was written. */
export function picked(
  sizes: RowSizes,
  { at }: Placement,
  type: RowType,
  bytes: ArrayBuffer,
): Float32Array<ArrayBuffer> {
  const { heads, most, lens, dim } = sizes;
  const bits = type === 'f16' ? new Uint16Array(bytes) : new Uint32Array(bytes);
  const values = type === 'f16' ? Float32Array.from(bits, f16Value) : new Float32Array(bytes);
  const rows = new Float32Array(lens.length * heads * most * dim);
  eachRow(sizes, (row, b, h, i) => {
    const from = at(b, h, i);
    rows.set(values.subarray(from, from + dim), row * dim);
    bits.fill(UNTOUCHED[type], from, from + dim);
  });
  const stray = bits.findIndex((x) => x !== UNTOUCHED[type]);
  if (stray >= 0) throw new Error(`element ${stray}, between rows, was written: ${values[stray]}`);
  return rows;
}
