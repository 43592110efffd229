// crossEntropy.test.ts: cross_entropy against its twin, by targets and by a teacher, and the twin against central differences.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grid } from '../../../src/kernels/kernel.ts';
import {
  crossEntropy,
  crossEntropyGrid,
  crossEntropyNumbers,
  NO_TARGET,
} from '../../../src/kernels/train/tokens.ts';
import { normals } from '../../../src/numbers/random.ts';
import { rowGradient, rowLoss, type Goal } from '../../reference/crossEntropy.ts';
import { testDevice } from '../../support/device.ts';
import {
  exactly,
  expOf,
  logOf,
  minus,
  over,
  plus,
  type Rounded,
  sumOf,
  sumOfProducts,
  times,
} from '../../support/rounding.ts';
import { runKernel, SENTINEL, unwritten } from '../../support/runKernel.ts';

const device = await testDevice();

/** What f32 arithmetic may flush to zero, twice over. */
const FLUSHED = 2 ** -125;

type Logits = readonly (readonly number[])[];

interface Case {
  readonly logits: Logits;
  /** Targets, or a teacher's logits. */
  readonly goals: readonly Goal[];
  readonly software: boolean;
  /** Elements behind a row's last logit, poison before and zeros after. */
  readonly spare?: number;
  readonly scale?: number;
  /** Default: the one that is chosen. */
  readonly grid?: Grid;
}

async function run({ logits, goals, software, spare = 0, scale = 1, grid }: Case) {
  const [rows, vocab] = [logits.length, logits[0]!.length];
  const stride = Math.ceil((vocab + spare) / 4) * 4;
  const padded = (list: Logits) => {
    const flat = new Float32Array(list.length * stride).fill(NaN);
    for (const [row, values] of list.entries()) flat.set(values, row * stride);
    return flat;
  };
  const teacher = typeof goals[0] !== 'number';
  const start = unwritten((rows + 1) * stride);
  start.set(padded(logits));
  const out = await runKernel(device, {
    kernel: crossEntropy({ teacher }, { software }),
    grid: grid ?? crossEntropyGrid({ rows }, { software }),
    inputs: {
      ...(teacher ? { teacher: padded(goals as Logits) } : { targets: Uint32Array.from(goals as number[]) }),
      numbers: crossEntropyNumbers({ rows, vocab, stride, scale }),
    },
    outputs: { logits: start, losses: unwritten(rows + 1) },
  });
  const [gradients, losses] = [Array.from(out.logits!), Array.from(out.losses!)];
  expect([losses.pop(), ...gradients.slice(rows * stride)], 'a row behind the last').toEqual(
    Array(stride + 1).fill(Math.fround(SENTINEL)),
  );
  const rowsOf = Array.from({ length: rows }, (_, row) => gradients.slice(row * stride, (row + 1) * stride));
  expect(
    rowsOf.flatMap((row) => row.slice(vocab)),
    'behind the vocabulary',
  ).toEqual(Array(rows * (stride - vocab)).fill(0));
  return { losses, gradients: rowsOf.map((row) => row.slice(0, vocab)) };
}

/** A softmax by the kernel's operations: weights below the maximum's 1, their sum, and how far logits are below the maximum. */
function softmaxOf(logits: readonly number[]) {
  const most = exactly(Math.max(...logits));
  const distances = logits.map((logit) => minus(exactly(logit), most));
  const weights = distances.map(expOf);
  return { distances, weights, sum: sumOf(weights) };
}

/** Loss and gradient with how far f32 may be. */
function bounded(
  logits: readonly number[],
  goal: Goal,
  scale: number,
): { loss: Rounded; gradient: Rounded[] } {
  const own = softmaxOf(logits);
  const teacher = typeof goal === 'number' ? undefined : softmaxOf(goal);
  const inverse = over(exactly(scale), own.sum);
  const gradient = own.weights.map((weight, i) => {
    const wanted = teacher ? over(teacher.weights[i]!, teacher.sum) : exactly(i === goal ? 1 : 0);
    return minus(times(weight, inverse), times(wanted, exactly(scale)));
  });
  if (!teacher) return { loss: minus(logOf(own.sum), own.distances[goal as number]!), gradient };
  const products = sumOfProducts(teacher.weights, (i) => minus(teacher.distances[i]!, own.distances[i]!));
  const loss = plus(over(products, teacher.sum), minus(logOf(own.sum), logOf(teacher.sum)));
  return { loss, gradient };
}

async function check(c: Case): Promise<void> {
  const { logits, goals } = c;
  const scale = Math.fround(c.scale ?? 1);
  const { losses, gradients } = await run(c);
  const wrong: string[] = [];
  const hold = (what: string, got: number, truth: number, bound: number) => {
    if (!(Math.abs(got - truth) <= bound))
      wrong.push(`${what}: expected ${truth} within ${bound}, got ${got}`);
  };
  for (const [row, list] of logits.entries()) {
    const goal = goals[row]!;
    const none = typeof goal === 'number' && goal >= list.length;
    const { loss, gradient } = bounded(list, none ? 0 : goal, scale);
    hold(`loss ${row}`, losses[row]!, rowLoss(list, goal), none ? 0 : loss.error);
    for (const [i, truth] of rowGradient(list, goal, scale).entries())
      hold(
        `gradient ${row}, ${i}`,
        gradients[row]![i]!,
        truth,
        none ? 0 : gradient[i]!.error + FLUSHED * (1 + scale),
      );
  }
  expect(wrong.slice(0, 5)).toEqual([]);
}

const rowOf = (seed: number, vocab: number, spread = 1, shift = 0) =>
  Array.from(normals(seed, vocab), (x) => Math.fround(x * spread + shift));

const rowsOf = (rows: number, vocab: number, seed = 0, spread = 1) =>
  Array.from({ length: rows }, (_, row) => rowOf(seed + row, vocab, spread));

describe.each([true, false])('cross_entropy, software: %s', (software) => {
  test.each([1, 2, 3, 4, 5, 255, 256, 257, 1000])('%i tokens', async (vocab) => {
    const logits = rowsOf(5, vocab);
    await check({ logits, goals: [0, vocab - 1, NO_TARGET, vocab >> 1, vocab], software, spare: 5 });
    await check({ logits, goals: rowsOf(5, vocab, 10), software, spare: 5, scale: 0.37 });
  });

  test.each([1, 15, 16, 17, 64, 65])('%i rows', async (rows) => {
    const logits = rowsOf(rows, 7);
    await check({ logits, goals: logits.map((_, row) => row % 7), software, scale: 1 / rows });
    await check({ logits, goals: rowsOf(rows, 7, 100), software, scale: 1 / rows });
  });

  test('a grid that is folded', async () => {
    const logits = rowsOf(software ? 75 : 5, 9);
    await check({ logits, goals: logits.map(() => 4), software, grid: [2, 3, 1] });
  });

  test('large logits do not overflow, nor do small ones vanish', async () => {
    const logits = [1e4, -1e4, 80, -80, 1e30, -1e30].map((shift, row) => rowOf(row, 300, 2, shift));
    await check({ logits, goals: logits.map((_, row) => 50 * row), software });
    await check({ logits: rowsOf(3, 300, 0, 1e4), goals: [7, 8, 9], software });
    await check({ logits: rowsOf(3, 300, 0, 100), goals: rowsOf(3, 300, 5, 100), software });
  });

  test('a sure token costs nothing, and its teacher nothing either', async () => {
    const sure = await run({ logits: [[1e4, -1e4]], goals: [0], software });
    expect(sure).toEqual({ losses: [0], gradients: [[0, 0]] });
    const logits = rowsOf(4, 50, 1, 3);
    const { losses, gradients } = await run({ logits, goals: logits, software });
    for (const value of [...losses, ...gradients.flat()]) expect(Math.abs(value)).toBeLessThan(1e-6);
  });

  test('no target costs nothing and moves nothing, whatever the logits are', async () => {
    const logits = [[1, 2, 3], [NaN, 1, 2], [1, Infinity, 2], [-Infinity, 1, 2]]; // prettier-ignore
    const { losses, gradients } = await run({ logits, goals: [3, NO_TARGET, 77, NO_TARGET], software });
    expect([...losses, ...gradients.flat()]).toEqual(Array(16).fill(0));
  });

  test.each([NaN, Infinity, -Infinity])('a logit of %f makes its own row NaN, and no other', async (bad) => {
    for (const place of [0, 3, 255, 256, 299]) {
      const spoilt = rowsOf(3, 300);
      spoilt[1]![place] = bad;
      const good = rowsOf(3, 300, 20);
      for (const [logits, goals] of [
        [spoilt, [3, 3, 3]],
        [spoilt, good],
        [good, spoilt],
      ] as const) {
        const { losses, gradients } = await run({ logits, goals, software });
        expect(losses.map(Number.isFinite)).toEqual([true, false, true]);
        expect(gradients.map((row) => row.every(Number.isFinite))).toEqual([true, false, true]);
        expect(gradients[1]!.every(Number.isNaN)).toBe(true);
        expect(rowLoss(logits[1]!, goals[1])).toBeNaN();
      }
    }
  });

  test('any rows', async () => {
    const shape = fc.record({
      rows: fc.integer({ min: 1, max: 40 }),
      vocab: fc.integer({ min: 1, max: 300 }),
      spare: fc.nat(9),
      seed: fc.nat(1e6),
      spread: fc.constantFrom(0.1, 1, 30),
      scale: fc.constantFrom(1, 1 / 1536, 8),
      taught: fc.boolean(),
    });
    const property = fc.asyncProperty(shape, ({ rows, vocab, spare, seed, spread, scale, taught }) => {
      const logits = rowsOf(rows, vocab, seed, spread);
      const goals = taught
        ? rowsOf(rows, vocab, seed + rows, spread)
        : logits.map((_, row) => (7 * row) % (vocab + 1));
      return check({ logits, goals, software, spare, scale });
    });
    await fc.assert(property, { numRuns: 8, seed: 8, endOnFailure: true });
  });
});

test('the twin is the gradient of the loss', () => {
  const logits = rowOf(1, 9, 2);
  for (const goal of [4, 9, rowOf(2, 9, 2)]) {
    for (const [i, mine] of rowGradient(logits, goal, 0.7).entries()) {
      const moved = (by: number) =>
        rowLoss(
          logits.map((x, j) => (i === j ? x + by : x)),
          goal,
        );
      expect(mine).toBeCloseTo((0.7 * (moved(1e-5) - moved(-1e-5))) / 2e-5, 8);
    }
  }
});

test('the twin does as PyTorch does', () => {
  const logits = Array.from({ length: 5 }, (_, i) => 2 * Math.sin(3 * i));
  const teacher = Array.from({ length: 5 }, (_, i) => 2 * Math.cos(2 * i));
  // cross_entropy and kl_div of PyTorch 1.13 in float64, and their gradients.
  const theirs: [Goal, number, number[]][] = [
    [
      3,
      0.8841491538295595,
      [
        0.18115792319023158, 0.24023297238939045, 0.10360008582702354, -0.5869345210147656,
        0.061943539608120074,
      ],
    ],
    [
      teacher,
      0.37114959684766397,
      [
        -0.2905203776919133, 0.2124616612569492, 0.08632941136162797, -0.022496786415745484,
        0.01422609148908157,
      ],
    ],
  ];
  for (const [goal, loss, gradient] of theirs) {
    expect(rowLoss(logits, goal)).toBeCloseTo(loss, 13);
    for (const [i, mine] of rowGradient(logits, goal, 1).entries())
      expect(mine).toBeCloseTo(gradient[i]!, 13);
  }
});
