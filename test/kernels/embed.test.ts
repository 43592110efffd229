// embed.test.ts: embed against its twin: tables of every type, whole and in parts, with learned positions and without.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { modelStepWords, setModelStep } from '../../src/kernels/model/modelStep.ts';
import { embed as embedKernel, embedGrid, embedNumbers } from '../../src/kernels/model/rows.ts';
import {
  paddedWidth,
  tileBytes,
  type MatrixSizes,
  type WeightType,
} from '../../src/kernels/model/weightsLib.ts';
import { cutTiles } from '../../src/models/decoder/matrix.ts';
import { codesOf, packTiles, plainColumns } from '../../src/models/decoder/packing.ts';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { normals } from '../../src/numbers/random.ts';
import { embed } from '../reference/embed.ts';
import { storedWeight } from '../reference/storedWeights.ts';
import { testDevice } from '../support/device.ts';
import { runKernel, SENTINEL, unwritten } from '../support/runKernel.ts';

const device = await testDevice();

/** Outputs of a tile, as on GPUs; products are tried with more. */
const TILE = 32;

interface Case {
  readonly type: WeightType;
  readonly vocab: number;
  readonly width: number;
  readonly ids: readonly number[];
  /** Of each id; default: 5, 4, 3 and so on, without a table of positions. */
  readonly positions?: readonly number[] | undefined;
  readonly scale?: number;
  readonly tilesOfPart?: number;
  /** Parts that are dispatched; default: all. */
  readonly parts?: readonly number[];
}

/** Runs it part by part: each writes the rows of its own tokens, and leaves all others as they are. */
async function check(c: Case): Promise<void> {
  const { type, vocab, width, ids, positions, tilesOfPart = 1000, scale = 1 } = c;
  const inputs = paddedWidth(width);
  const sizes: MatrixSizes = { type, inputs, outputs: vocab, matrices: 1, tile: TILE };
  const codes = codesOf('F32', new Uint8Array(normals(4, vocab * width).buffer), type);
  const piece = { codes, rowStride: width, columnStride: 1 };
  const source = { sizes, columns: plainColumns(width, inputs), place: (row: number) => ({ piece, row }) };
  const cut = cutTiles('test', sizes, tilesOfPart * tileBytes(sizes).weights);
  const runs = cut
    .filter((_, i) => c.parts?.includes(i) ?? true)
    .map((run) => {
      const count = Math.min(run.tiles * TILE, vocab - run.first * TILE);
      return { first: run.first * TILE, count, packed: packTiles(source, run.first, run.tiles) };
    });
  const at = positions ?? ids.map((_, i) => Math.abs(5 - i));
  const learned = positions && normals(6, (Math.max(...positions) + 1) * inputs);
  // Positions that no row has are poison; padding is zeros, as it is in tables.
  learned?.forEach((_, i) => {
    const [position, element] = [Math.floor(i / inputs), i % inputs];
    if (!positions!.includes(position)) learned[i] = NaN;
    else if (element >= width) learned[i] = 0;
  });
  const step = new Uint32Array(modelStepWords(ids.length));
  setModelStep(step, at, ids.length);
  let x = unwritten((ids.length + 1) * inputs);
  for (const { first, count, packed } of runs) {
    const out = await runKernel(device, {
      kernel: embedKernel(sizes, learned !== undefined),
      grid: embedGrid(sizes, ids.length),
      inputs: {
        ids: Uint32Array.from(ids),
        weights: packed.weights,
        numbers: embedNumbers(first, count, scale),
        ...(packed.scales && { scales: packed.scales }),
        ...(learned && { position_rows: learned }),
      },
      outputs: { x },
      step,
    });
    x = out.x as typeof x;
  }
  const embedding = (id: number, i: number) => {
    const { first, packed } = runs.find((run) => id >= run.first && id < run.first + run.count)!;
    return storedWeight({ ...sizes, ...packed }, 0, id - first, i).value;
  };
  const mine = ids.map((id) => runs.some(({ first, count }) => id >= first && id < first + count));
  const of = (list: readonly number[]) => list.filter((_, row) => mine[row]);
  const truth = embed({
    ids: of(ids),
    positions: of(at),
    width,
    scale: Math.fround(scale),
    embedding,
    position: learned && ((position, i) => learned[position * inputs + i]!),
  });
  const rows = ids.map((id, row) => (mine[row] ? { id, values: truth.shift()! } : undefined));
  const wrong: string[] = [];
  for (const [place, got] of x.entries()) {
    const [row, i] = [Math.floor(place / inputs), place % inputs];
    const mineRow = rows[row];
    const want = mineRow ? (mineRow.values[i] ?? 0) : Math.fround(SENTINEL);
    // The product rounds once, its sum with a position once more.
    const product = mineRow && i < width ? Math.abs(embedding(mineRow.id, i) * scale) : 0;
    const bound = mineRow ? 2 ** -24 * 1.001 * (product + (learned ? Math.abs(want) : 0)) : 0;
    if (!(Math.abs(got - want) <= bound))
      wrong.push(`[${row}, ${i}]: expected ${want} within ${bound}, got ${got}`);
  }
  expect(wrong.slice(0, 5), JSON.stringify(c)).toEqual([]);
}

const IDS = [0, 31, 32, 99, 64, 31, 63];

describe.each(KV_TYPES)('embed of %s', (type) => {
  test.each([1, 31, 32, 33, 63, 64, 65, 127])('rows of %i elements', async (width) => {
    await check({ type, vocab: 100, width, ids: IDS });
    await check({ type, vocab: 100, width, ids: IDS, positions: [0, 1, 5, 2, 9, 9, 3], scale: 1.7 });
  });
  test('a table in parts, each of which leaves the tokens of others alone', async () => {
    const table = { type, vocab: 100, width: 65, ids: IDS, scale: 8 };
    await check({ ...table, tilesOfPart: 1 });
    await check({ ...table, tilesOfPart: 3, positions: [3, 0, 1, 5, 2, 9, 8] });
    for (const part of [0, 1, 2, 3]) await check({ ...table, tilesOfPart: 1, parts: [part] });
  });
});

test('rows of more words than a workgroup has invocations', () =>
  check({ type: 'f32', vocab: 40, width: 300, ids: [39, 1], positions: [1, 0] }));

test('any table', async () => {
  const table = fc.integer({ min: 1, max: 200 }).chain((vocab) =>
    fc.record({
      vocab: fc.constant(vocab),
      ids: fc.array(fc.nat(vocab - 1), { minLength: 1, maxLength: 20 }),
      type: fc.constantFrom(...KV_TYPES),
      width: fc.integer({ min: 1, max: 140 }),
      tilesOfPart: fc.integer({ min: 1, max: 7 }),
      scale: fc.constantFrom(1, 11.3),
    }),
  );
  await fc.assert(fc.asyncProperty(table, check), { numRuns: 20, seed: 2, endOnFailure: true });
});
