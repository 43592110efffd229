// kvLens.ts: checks the lengths of sequences that callers give.
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
