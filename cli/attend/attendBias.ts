// attendBias.ts: what `gqa attend` adds to scores: a mask, a bias and hidden keys, made into one bias.
import { CheckpointError } from '../../src/checkpoint/format/checkpointError.ts';
import type { SafetensorsFile } from '../../src/checkpoint/format/file.ts';
import { allocate } from '../../src/files/memory.ts';
import { GqaError, messageOf } from '../../src/device/errors.ts';
import type { ProblemBias } from '../../src/reference/problemFeatures.ts';
import { findTensor, FLOATS, list, whereIs } from './attendTensors.ts';

/** The sizes that a tensor of scores broadcasts to. */
export type ScoreAxes = readonly [batch: number, heads: number, positions: number, keys: number];

/** A tensor of a file that broadcasts to scores, its shape with leading axes of 1. */
export interface ScoreTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: ScoreAxes;
}

/** As `ScoreTensor`, with its values: hidden keys have -Infinity. */
export interface ScoreValues {
  readonly shape: ScoreAxes;
  readonly values: Float32Array;
}

/**
 * Finds a tensor that is added to scores. One that is a `mask` may be of booleans, and may have fewer keys than there are. Throws
 * CheckpointError for others.
 */
export function findScores(
  file: SafetensorsFile,
  path: string,
  name: string,
  axes: ScoreAxes,
  mask: boolean,
): ScoreTensor {
  const types = mask ? [...FLOATS, 'BOOL'] : FLOATS;
  const wanted = `${whereIs(path, name)}: expected ${types.join(', ')} that broadcasts to [B, Hq, Lq, T] = ${list(axes)}`;
  const { dtype, shape } = findTensor(file, wanted, name);
  const full = [...[1, 1, 1, 1].slice(shape.length), ...shape];
  const fits = full.every((size, axis) => {
    return size === 1 || size === axes[axis] || (mask && axis === 3 && size >= 1 && size < axes[3]);
  });
  if (full.length !== 4 || !fits || !types.includes(dtype)) {
    throw new CheckpointError(`${wanted}; got ${dtype} ${list(shape)}`);
  }
  return { name, dtype, shape: full as [number, number, number, number] };
}

/** Reads one; throws CheckpointError for values that no score can have. */
export async function readScores(
  file: SafetensorsFile,
  path: string,
  { name, dtype, shape }: ScoreTensor,
): Promise<ScoreValues> {
  if (dtype === 'BOOL') {
    const seen = await file.read(name);
    return { shape, values: Float32Array.from(seen, (byte) => (byte === 0 ? -Infinity : 0)) };
  }
  const { data: values } = await file.readFloat32(name);
  const bad = values.findIndex((value) => !(value < Infinity));
  if (bad < 0) return { shape, values };
  const at = list(placeIn(shape, bad));
  throw new CheckpointError(
    `${whereIs(path, name)}: expected finite numbers or -Infinity, got ${values[bad]} at ${at}`,
  );
}

function placeIn(shape: readonly number[], index: number): number[] {
  return shape.map((size, axis) => {
    const inner = shape.slice(axis + 1).reduce((n, each) => n * each, 1);
    return Math.floor(index / inner) % size;
  });
}

/** The shape of the bias that parts and, where keys past `lens` are hidden, those make together. */
export function biasShape(
  parts: readonly { readonly shape: ScoreAxes }[],
  slots: number,
  lens?: readonly number[],
): ScoreAxes {
  const most = (axis: number) => parts.reduce((size, { shape }) => Math.max(size, shape[axis]!), 1);
  return [Math.max(most(0), lens?.length ?? 1), most(1), most(2), slots];
}

/**
 * The sum of parts, for `slots` slots of which the file has `keys`. Hidden, with -Infinity: the keys past the end of a part
 * that has several, and those past `lens`. Slots after all keys have 0 unless `lens` hides them. Throws GqaError where there is
 * no memory for it.
 */
export function sumOfScores(
  parts: readonly ScoreValues[],
  { keys, slots, lens }: { readonly keys: number; readonly slots: number; readonly lens?: readonly number[] },
): ProblemBias {
  const shape = biasShape(parts, slots, lens);
  const values = zeros(shape.reduce((n, size) => n * size, 1));
  const [batch, heads, positions] = shape;
  let at = 0;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < positions; i++, at += slots) {
        const row = values.subarray(at, at + slots);
        for (const part of parts) addRow(row, part, [b, h, i], keys);
        if (lens) row.fill(-Infinity, lens[b]);
      }
    }
  }
  return { shape, values };
}

function addRow(
  row: Float32Array,
  { shape, values }: ScoreValues,
  place: readonly number[],
  keys: number,
): void {
  const [b, h, i] = place.map((index, axis) => (shape[axis] === 1 ? 0 : index)) as [number, number, number];
  const width = shape[3];
  const from = ((b * shape[1] + h) * shape[2] + i) * width;
  for (let t = 0; t < keys; t++) {
    const value = width === 1 ? values[from]! : t < width ? values[from + t]! : -Infinity;
    row[t] = row[t]! + value;
  }
}

function zeros(count: number): Float32Array<ArrayBuffer> {
  try {
    return new Float32Array(allocate(count * 4));
  } catch (cause) {
    throw new GqaError('memory', `mask and bias together: ${messageOf(cause)}`, { cause });
  }
}
