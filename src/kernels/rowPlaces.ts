// rowPlaces.ts: where rows of heads and positions lie in a buffer: the order of their axes, or strides, and an offset.
import { ShapeError } from '../device/errors.ts';
import { checkOneOf, checkOptions, checkWhole, describe, isObject, type Known } from '../device/options.ts';
import { ROW_TYPES, type RowType } from './rowFormats.ts';

/** Elements from a row to the next, along each axis: multiples of 4. */
export interface RowStrides {
  /** From a head to the next. */
  readonly head: number;
  /** From a position to the next. */
  readonly position: number;
  /** From a sequence to the next. Default: sequences are packed, each behind the positions that those before it have in a step. */
  readonly batch?: number;
}

/**
 * The order of the axes of dense rows: `BHLD` [B, H, L, D], `BLHD` [B, L, H, D], or `packed` [tokens, H, D]: the positions of
 * all sequences, one behind the other, as many as each has in a step.
 */
export type RowOrder = 'BHLD' | 'BLHD' | 'packed';

const ROW_ORDERS: readonly RowOrder[] = ['BHLD', 'BLHD', 'packed'];

/** How rows are stored. */
export interface RowsOptions {
  /** Element type, f16 two to a word. Default f32. */
  readonly type?: RowType;
  /** Order of the axes, or strides: a part of a fused buffer of q, k and v, for instance. Default `BHLD`. */
  readonly layout?: RowOrder | RowStrides;
  /** Elements of the buffer before the first row: a multiple of 4. Default 0. */
  readonly offset?: number;
}

const ROWS_OPTIONS = { type: true, layout: true, offset: true } satisfies Known<RowsOptions>;
const ROW_STRIDES = { head: true, position: true, batch: true } satisfies Known<RowStrides>;

/** Checked places of rows; all numbers count elements. */
export interface RowPlaces {
  readonly type: RowType;
  /** Elements of a row. */
  readonly dim: number;
  readonly order: RowOrder | 'strides';
  readonly offset: number;
  readonly head: number;
  readonly position: number;
  /** Undefined: sequences are packed. */
  readonly batch: number | undefined;
}

/** Axes of the rows; `qLen`: positions that there is room for in each sequence. */
export interface RowAxes {
  readonly batch: number;
  readonly heads: number;
  readonly qLen: number;
}

/** More elements than any buffer has. */
const MOST_ELEMENTS = 2 ** 32;

/** Bytes of an element. */
export function rowTypeBytes(type: RowType): number {
  return type === 'f32' ? 4 : 2;
}

/** Where rows of `dim` elements lie. Throws ShapeError naming the option, what it must be and what was given. */
export function rowPlaces(where: string, options: RowsOptions, axes: RowAxes, dim: number): RowPlaces {
  checkOptions(where, options, ROWS_OPTIONS);
  const { type = 'f32', layout = 'BHLD', offset = 0 } = options;
  checkOneOf(`${where}: type`, type, ROW_TYPES);
  checkElements(`${where}: offset`, offset);
  if (!isObject(layout)) {
    checkOneOf(`${where}: layout`, layout, ROW_ORDERS);
    return { type, dim, order: layout, offset, ...denseStrides(layout, axes, dim) };
  }
  checkOptions(`${where}: layout`, layout, ROW_STRIDES);
  const { head, position, batch } = layout;
  checkElements(`${where}: layout: head`, head);
  checkElements(`${where}: layout: position`, position);
  if (batch !== undefined) checkElements(`${where}: layout: batch`, batch);
  return { type, dim, order: 'strides', offset, head, position, batch };
}

function denseStrides(order: RowOrder, { heads, qLen }: RowAxes, dim: number) {
  if (order === 'BHLD') return { head: qLen * dim, position: dim, batch: heads * qLen * dim };
  const tokens = { head: dim, position: heads * dim };
  return { ...tokens, batch: order === 'packed' ? undefined : heads * qLen * dim };
}

function checkElements(where: string, value: number): void {
  checkWhole(where, value, 0, MOST_ELEMENTS);
  if (value % 4 !== 0)
    throw new ShapeError(`${where}: expected a multiple of 4 elements, got ${describe(value)}`);
}

/** Where a number for each row lies: densely, the axes in the rows' order, [B, H, L] for rows by strides, or [tokens, H] for packed ones. */
export function numberPlaces({ order, batch }: RowPlaces, axes: RowAxes): RowPlaces {
  const dense = order !== 'strides' ? order : batch === undefined ? 'packed' : 'BHLD';
  return { type: 'f32', dim: 1, order: dense, offset: 0, ...denseStrides(dense, axes, 1) };
}

/** Where the first row of sequence `b` lies; those before it have `before` positions together. */
export function rowStart({ offset, position, batch }: RowPlaces, b: number, before: number): number {
  return offset + (batch === undefined ? before * position : b * batch);
}

/** The same of all sequences, of so many positions each. */
export function rowStarts(places: RowPlaces, qLens: readonly number[]): number[] {
  let before = 0;
  return qLens.map((qLen, b) => {
    const start = rowStart(places, b, before);
    before += qLen;
    return start;
  });
}

/** Elements up to the end of the last row of sequences with so many positions; 0 when there is none. Allocates nothing. */
export function rowsEnd(places: RowPlaces, heads: number, qLens: ArrayLike<number>): number {
  let before = 0;
  let end = 0;
  for (let b = 0; b < qLens.length; b++) {
    const qLen = qLens[b]!;
    if (qLen === 0) continue;
    const last = (heads - 1) * places.head + (qLen - 1) * places.position;
    end = Math.max(end, rowStart(places, b, before) + last + places.dim);
    before += qLen;
  }
  return end;
}

/** Bytes of a buffer that holds exactly the rows of these axes; undefined where it may have more. */
export function exactBytes(
  { type, dim, order, offset }: RowPlaces,
  { batch, heads, qLen }: RowAxes,
): number | undefined {
  if (order === 'packed' || order === 'strides') return undefined;
  return (offset + batch * heads * qLen * dim) * rowTypeBytes(type);
}

/**
 * Throws ShapeError where rows to be written might lie in one place: each axis, from the least stride on, has to begin behind
 * the one before.
 */
export function checkApart(where: string, places: RowPlaces, axes: RowAxes): void {
  const { head, position, batch, dim } = places;
  const strides = [
    { name: 'head', stride: head, count: axes.heads },
    { name: 'position', stride: position, count: batch === undefined ? axes.batch * axes.qLen : axes.qLen },
    ...(batch === undefined ? [] : [{ name: 'batch', stride: batch, count: axes.batch }]),
  ];
  let end = dim;
  for (const { name, stride, count } of strides
    .filter((axis) => axis.count > 1)
    .toSorted((a, b) => a.stride - b.stride)) {
    if (stride < end) {
      throw new ShapeError(
        `${where}: layout: ${name}: expected at least ${end} elements, so that no rows overlap, got ${stride}`,
      );
    }
    end += (count - 1) * stride;
  }
}
