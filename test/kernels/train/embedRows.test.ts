// embedRows.test.ts: embed_rows against its twin: with learned positions and without, of widths around a workgroup.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grid } from '../../../src/kernels/kernel.ts';
import {
  embedRows as embedRowsKernel,
  embedRowsGrid,
  embedRowsNumbers,
} from '../../../src/kernels/train/tokens.ts';
import { normals } from '../../../src/numbers/random.ts';
import { embedRows } from '../../reference/embedRows.ts';
import { testDevice } from '../../support/device.ts';
import { runKernel, SENTINEL, unwritten } from '../../support/runKernel.ts';

const device = await testDevice();

interface Case {
  readonly vocab: number;
  readonly width: number;
  readonly tokens: readonly number[];
  /** Rows of a sequence. */
  readonly length: number;
  readonly learned: boolean;
  /** Default: the one that is chosen. */
  readonly grid?: Grid;
}

async function check({ vocab, width, tokens, length, learned, grid }: Case): Promise<void> {
  const rows = tokens.length;
  const table = normals(1, vocab * width);
  // Rows of no token, and positions of no row, are poison.
  for (let id = 0; id < vocab; id++) if (!tokens.includes(id)) table.fill(NaN, id * width, (id + 1) * width);
  const positions = learned
    ? normals(2, (length + 1) * width).fill(NaN, Math.min(rows, length) * width)
    : undefined;
  const { x } = await runKernel(device, {
    kernel: embedRowsKernel({ positions: learned }),
    grid: grid ?? embedRowsGrid({ rows, width }),
    inputs: {
      tokens: Uint32Array.from(tokens),
      table,
      ...(positions && { positions }),
      numbers: embedRowsNumbers({ rows, width, length }),
    },
    outputs: { x: unwritten((rows + 1) * width) },
  });
  const truth = embedRows({ tokens, width, length, table, positions });
  // One sum, which is rounded once.
  const wanted = [...truth.map(Math.fround), ...Array(width).fill(Math.fround(SENTINEL))];
  expect(Array.from(x!), JSON.stringify({ vocab, width, rows, length, learned })).toEqual(wanted);
}

describe.each([false, true])('embed_rows, learned positions: %s', (learned) => {
  test.each([4, 8, 252, 256, 260, 1024])('%i elements', (width) =>
    check({ vocab: 10, width, tokens: [9, 0, 3, 3, 5, 0], length: 3, learned }),
  );
  test('one row, and fewer rows than a sequence has', async () => {
    await check({ vocab: 1, width: 4, tokens: [0], length: 1, learned });
    await check({ vocab: 3, width: 12, tokens: [2, 1], length: 5, learned });
  });
});

test('rows in a grid that is folded', () =>
  check({ vocab: 7, width: 256, tokens: [6, 1, 0, 2, 5], length: 5, learned: true, grid: [2, 3, 1] }));

test('any rows', async () => {
  const shape = fc.integer({ min: 1, max: 40 }).chain((vocab) =>
    fc.record({
      vocab: fc.constant(vocab),
      width: fc.integer({ min: 1, max: 80 }).map((fours) => 4 * fours),
      tokens: fc.array(fc.nat(vocab - 1), { minLength: 1, maxLength: 30 }),
      length: fc.integer({ min: 1, max: 10 }),
      learned: fc.boolean(),
    }),
  );
  await fc.assert(fc.asyncProperty(shape, check), { numRuns: 15, seed: 6, endOnFailure: true });
});
