// rowsBefore.test.ts: rows of before an append come to the wanted ones by the twins of the kernel's libs.
import { expect, test } from 'vitest';
import { rowsBefore, type Turns } from '../../../bench/run/rowsBefore.ts';
import { normals } from '../../../src/numbers/random.ts';
import { ropeFrequencies } from '../../../src/numbers/rope.ts';
import { normalised, turned } from '../../reference/rope.ts';

const ROWS = { heads: 3, numTokens: 4, headDim: 24, held: [0, 5000] };
const WEIGHTS = normals(2, 24).map((x) => Math.sign(x) * (2 + Math.abs(x)));
const NORM = { weights: WEIGHTS, eps: 1 };

test.each<[string, Turns]>([
  ['neither', {}],
  ['turned', { rope: true }],
  ['normalised', { norm: NORM }],
  ['normalised, then turned', { norm: NORM, rope: true }],
])('rows that are %s', (_, turns) => {
  const wanted = normals(1, 2 * 3 * 4 * 24);
  const before = rowsBefore(wanted, ROWS, turns);
  const { frequencies } = ropeFrequencies({ headDim: 24 });
  for (let row = 0; row < 2 * 3 * 4; row++) {
    const own = Array.from(before.subarray(row * 24, (row + 1) * 24));
    const even = turns.norm ? normalised(own, WEIGHTS, 1) : own;
    const position = ROWS.held[Math.floor(row / 12)]! + (row % 4);
    const after = turns.rope ? turned(even, 'half', frequencies, 1, position) : even;
    after.forEach((x, d) => expect(Math.abs(x - wanted[row * 24 + d]!)).toBeLessThan(1e-6));
  }
});
