// kvLens.ts: checks the lengths of sequences, and their numbers of query positions, that callers give.
import { ShapeError } from '../device/errors.ts';
import { checkWhole, describe } from '../device/options.ts';

/** Throws ShapeError unless there is one length per sequence, each a whole number from 0 to `most`. */
export function checkKvLens(where: string, kvLens: readonly number[], batch: number, most: number): void {
  if (!Array.isArray(kvLens)) {
    throw new ShapeError(
      `${where}: kvLens: expected an array of ${batch} lengths, one per sequence, got ${describe(kvLens)}`,
    );
  }
  if (kvLens.length !== batch) {
    throw new ShapeError(`${where}: expected ${batch} lengths, one per sequence, got ${kvLens.length}`);
  }
  // Not forEach, which passes over holes.
  for (let b = 0; b < batch; b++) checkWhole(`${where}: length of sequence ${b}`, kvLens[b], 0, most);
}

/** The same for query positions of a step, none above `most`. */
export function checkQLens(where: string, qLens: readonly number[], batch: number, most: number): void {
  if (!Array.isArray(qLens) || qLens.length !== batch) {
    throw new ShapeError(
      `${where}: qLens: expected an array of ${batch} numbers, one per sequence, got ${describe(qLens)}`,
    );
  }
  for (let b = 0; b < batch; b++) checkWhole(`${where}: qLens of sequence ${b}`, qLens[b], 0, most);
}
