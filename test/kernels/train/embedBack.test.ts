// embedBack.test.ts: embed_back against its twin, and the twin against central differences of embed_rows' twin.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Grid } from '../../../src/kernels/kernel.ts';
import {
  embedBack as embedBackKernel,
  embedBackGrid,
  embedBackNumbers,
} from '../../../src/kernels/train/tokens.ts';
import { normals } from '../../../src/numbers/random.ts';
import { rowLists } from '../../../src/numbers/rowLists.ts';
import { embedBack } from '../../reference/embedBack.ts';
import { embedRows } from '../../reference/embedRows.ts';
import { testDevice } from '../../support/device.ts';
import { exactly, plus, sumOf } from '../../support/rounding.ts';
import { runKernel } from '../../support/runKernel.ts';

const device = await testDevice();

interface Case {
  readonly vocab: number;
  readonly width: number;
  readonly tokens: readonly number[];
  /** Entries with empty lists behind those that there are, all zeros. */
  readonly empty?: number;
  /** Default: the one that is chosen. */
  readonly grid?: Grid;
}

async function run({ vocab, width, tokens, empty = 0, grid }: Case) {
  const { entries, order } = rowLists(tokens);
  const count = entries.length / 3 + empty;
  const padded = new Uint32Array(3 * count);
  padded.set(entries);
  // A row behind those of tokens is poison.
  const dX = normals(3, (tokens.length + 1) * width).fill(NaN, tokens.length * width);
  const before = normals(4, vocab * width);
  const { d_table } = await runKernel(device, {
    kernel: embedBackKernel(),
    grid: grid ?? embedBackGrid({ entries: count, width }),
    inputs: { entries: padded, order, d_x: dX, numbers: embedBackNumbers({ entries: count, width }) },
    outputs: { d_table: before.slice() },
  });
  return { dX, before, dTable: d_table! };
}

async function check(c: Case): Promise<void> {
  const { vocab, width, tokens } = c;
  const { dX, before, dTable } = await run(c);
  const truth = embedBack(tokens, width, dX, before);
  const rowsOf = Array.from({ length: vocab }, (_, id) =>
    tokens.flatMap((token, row) => (token === id ? [row] : [])),
  );
  const wrong: string[] = [];
  for (const [at, got] of dTable.entries()) {
    const [id, i] = [Math.floor(at / width), at % width];
    const rows = rowsOf[id]!;
    const sum = sumOf(rows.map((row) => exactly(dX[row * width + i]!)));
    // A row of the table without a token is left alone.
    const bound = rows.length === 0 ? 0 : plus(exactly(before[at]!), sum).error;
    if (!(Math.abs(got - truth[at]!) <= bound))
      wrong.push(`[${id}, ${i}]: expected ${truth[at]} within ${bound}, got ${got}`);
  }
  expect(wrong.slice(0, 5), JSON.stringify({ vocab, width, rows: tokens.length })).toEqual([]);
}

const TOKENS = [9, 0, 3, 3, 5, 0, 3, 3, 3, 0];

test.each([4, 8, 252, 256, 260])('rows of %i elements', (width) =>
  check({ vocab: 11, width, tokens: TOKENS }),
);

test.each([1, 2, 3, 4, 5, 7, 8, 9, 200])('%i rows of one token', (rows) =>
  check({ vocab: 2, width: 8, tokens: Array.from({ length: rows }, () => 1) }),
);

test('entries with empty lists change nothing, whatever their id', () =>
  check({ vocab: 11, width: 12, tokens: TOKENS, empty: 20 }));

test('a grid that is folded', () => check({ vocab: 11, width: 256, tokens: TOKENS, grid: [3, 2, 1] }));

test('the same run gives the same bits', async () => {
  const tokens = Array.from({ length: 300 }, (_, row) => (row * row) % 7);
  const [first, second] = [
    await run({ vocab: 7, width: 64, tokens }),
    await run({ vocab: 7, width: 64, tokens }),
  ];
  expect(first.dTable).toEqual(second.dTable);
});

test('any tokens', async () => {
  const shape = fc.integer({ min: 1, max: 40 }).chain((vocab) =>
    fc.record({
      vocab: fc.constant(vocab),
      width: fc.integer({ min: 1, max: 40 }).map((fours) => 4 * fours),
      tokens: fc.array(fc.nat(vocab - 1), { minLength: 1, maxLength: 60 }),
      empty: fc.nat(3),
    }),
  );
  await fc.assert(fc.asyncProperty(shape, check), { numRuns: 15, seed: 7, endOnFailure: true });
});

test('the twin is the gradient of embed_rows', () => {
  const [vocab, width, tokens] = [5, 4, [4, 0, 2, 2, 4, 2]];
  const dX = normals(5, tokens.length * width);
  const table = Array.from(normals(6, vocab * width));
  const loss = (values: readonly number[]) =>
    embedRows({ tokens, width, length: 2, table: values }).reduce((sum, x, i) => sum + x * dX[i]!, 0);
  const gradient = embedBack(
    tokens,
    width,
    dX,
    Array.from(table, () => 0),
  );
  for (const [at, mine] of gradient.entries()) {
    const moved = (by: number) => loss(table.map((x, i) => (i === at ? x + by : x)));
    expect(mine).toBeCloseTo((moved(1e-3) - moved(-1e-3)) / 2e-3, 9);
  }
});
