// mergeStates.test.ts: the public merge: attention over disjoint keys, put together, is attention over all of them.
import { beforeAll, describe, expect, test } from 'vitest';
import { normals } from '../../src/numbers/random.ts';
import { expect64, verify } from '../../src/reference/verify.ts';
import { randomProblem, storeProblem } from '../../src/reference/problem.ts';
import { runProblem } from '../../bench/check/runProblem.ts';
import {
  bindMerge,
  createStorage,
  DestroyedError,
  ForeignDeviceError,
  LSE_EMPTY,
  readBack,
  ShapeError,
  uploadStorage,
  type GqaDevice,
  type MergeArgs,
} from '../../src/index.ts';
import { attention } from '../../src/reference/attention.ts';
import { bits, expectClose } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';
import { failure, message } from '../support/failure.ts';
import { ownDevice } from '../support/ownDevice.ts';

const D = 64;
const ROWS = 8;

let device: GqaDevice;
beforeAll(async () => {
  device = await testDevice();
});

/** Attention results of ROWS rows. */
interface State {
  readonly o: Float32Array<ArrayBuffer>;
  readonly lse: Float32Array<ArrayBuffer>;
}

async function merge(states: readonly State[]): Promise<State> {
  const concat = (parts: readonly Float32Array[]) =>
    Float32Array.from(parts.flatMap((values) => Array.from(values)));
  const o = uploadStorage(device, 'o', new Float32Array(ROWS * D).fill(NaN));
  const lse = uploadStorage(device, 'lse', new Float32Array(ROWS).fill(NaN));
  const bound = await bindMerge(device, {
    numStates: states.length,
    rows: ROWS,
    headDim: D,
    statesO: uploadStorage(device, 'statesO', concat(states.map((state) => state.o))),
    statesLse: uploadStorage(device, 'statesLse', concat(states.map((state) => state.lse))),
    o,
    lse,
  });
  const encoder = device.gpu.createCommandEncoder();
  bound.record(encoder);
  device.gpu.queue.submit([encoder.finish()]);
  return {
    o: new Float32Array(await readBack(device, o)),
    lse: new Float32Array(await readBack(device, lse)),
  };
}

const whole = randomProblem({ numQHeads: 8, numKvHeads: 2, headDim: D, kvLens: [200], seed: 77 });

/** The problem over keys `from` to `to` only. */
function range(from: number, to: number): typeof whole {
  const keep = (x: Float32Array<ArrayBuffer>) =>
    Float32Array.from(
      [0, 1].flatMap((hk) => Array.from(x.subarray((hk * 200 + from) * D, (hk * 200 + to) * D))),
    );
  const options = { numQHeads: 8, numKvHeads: 2, headDim: D, kvLens: [to - from] };
  return storeProblem({ ...options, q: whole.q, k: keep(whole.k), v: keep(whole.v) });
}

/** The float64 result over a range, as f32. */
function part(from: number, to: number): State {
  const { o, lse } = attention(range(from, to));
  return { o: Float32Array.from(o), lse: Float32Array.from(lse) };
}

const empty: State = {
  o: new Float32Array(ROWS * D).fill(NaN),
  lse: new Float32Array(ROWS).fill(LSE_EMPTY),
};

describe('disjoint ranges of keys', () => {
  test.each([
    ['two', [0, 80, 200]],
    ['three', [0, 1, 130, 200]],
    ['five, one key each but the last', [0, 1, 2, 3, 4, 200]],
  ])('%s', async (_name, cuts) => {
    const states = cuts.slice(1).map((to, i) => part(cuts[i]!, to));
    const { o, lse } = await merge(states);
    expectClose(whole, o, lse);
  });

  test('computed on the device', async () => {
    const prefix = await runProblem(device, range(0, 140));
    const suffix = await runProblem(device, range(140, 200));
    const { o, lse } = await merge([prefix, suffix]);
    expectClose(whole, o, lse);
  });

  test('in any order', async () => {
    const [a, b, c] = [part(0, 30), part(30, 90), part(90, 200)];
    for (const order of [
      [a, c, b],
      [b, a, c],
      [c, b, a],
    ]) {
      const { o, lse } = await merge(order);
      expectClose(whole, o, lse);
    }
  });

  test('merged in two goes', async () => {
    const left = await merge([part(0, 30), part(30, 90)]);
    const { o, lse } = await merge([left, part(90, 200)]);
    expectClose(whole, o, lse);
  });

  test('a range left out is noticed', async () => {
    const { o, lse } = await merge([part(0, 80), part(90, 200)]);
    expect(verify(expect64(whole), o, lse).pass).toBe(false);
  });
});

describe('weights by hand', () => {
  const constant = (value: number, lse: number): State => ({
    o: new Float32Array(ROWS * D).fill(value),
    lse: new Float32Array(ROWS).fill(lse),
  });

  test('one to three', async () => {
    // e^0 of value 4 and e^(log 3) of value 8: (4 + 24) / 4, log-sum-exp log 4.
    const { o, lse } = await merge([constant(4, 0), constant(8, Math.log(3))]);
    o.forEach((x) => expect(x).toBeCloseTo(7, 5));
    lse.forEach((x) => expect(x).toBeCloseTo(Math.log(4), 6));
  });

  test('log-sum-exps far from zero', async () => {
    const { o, lse } = await merge([constant(2, -5000), constant(4, -5000)]);
    o.forEach((x) => expect(x).toBeCloseTo(3, 5));
    lse.forEach((x) => expect(x).toBeCloseTo(-5000 + Math.log(2), 2));
    const far = await merge([constant(2, 3000), constant(4, -3000)]);
    expect(far).toEqual(constant(2, 3000));
  });

  test('each row has its own', async () => {
    const rows = {
      o: normals(5, ROWS * D),
      lse: Float32Array.from({ length: ROWS }, (_, row) => (row % 2 ? 200 : -200)),
    };
    const { o, lse } = await merge([rows, constant(9, 0)]);
    const want = rows.o.map((x, at) => (Math.floor(at / D) % 2 ? x : 9));
    expect(o).toEqual(want);
    expect(Array.from(lse)).toEqual([0, 200, 0, 200, 0, 200, 0, 200]);
  });
});

describe('empty states', () => {
  test('change nothing, wherever they stand and whatever their o is', async () => {
    const [a, b] = [part(0, 80), part(80, 200)];
    const plain = await merge([a, b]);
    for (const states of [
      [empty, a, b],
      [a, empty, b],
      [a, b, empty],
      [empty, a, empty, b, empty],
    ]) {
      const { o, lse } = await merge(states);
      expect(bits(o)).toEqual(bits(plain.o));
      expect(bits(lse)).toEqual(bits(plain.lse));
    }
  });

  test('below the floor count as empty', async () => {
    const below = { ...empty, lse: new Float32Array(ROWS).fill(-3.4e38) };
    const a = part(0, 200);
    expect(bits((await merge([below, a])).o)).toEqual(bits(a.o));
  });

  test('alone give zeros and the floor', async () => {
    for (const states of [[empty], [empty, empty]]) {
      expect(await merge(states)).toEqual({ o: new Float32Array(ROWS * D), lse: empty.lse });
    }
  });
});

test('a single state comes back to the bit', async () => {
  const a = part(0, 200);
  const { o, lse } = await merge([a]);
  expect(bits(o)).toEqual(bits(a.o));
  expect(bits(lse)).toEqual(bits(a.lse));
});

test('rows come from the decode step’s own empty rows', async () => {
  const nothing = await runProblem(device, { ...range(0, 1), kvLens: [0] });
  const a = part(0, 200);
  expect(bits((await merge([nothing, a])).o)).toEqual(bits(a.o));
});

describe('refuses', () => {
  const sizes = { statesO: 2 * ROWS * D * 4, statesLse: 2 * ROWS * 4, o: ROWS * D * 4, lse: ROWS * 4 };
  const buffers = (on: GqaDevice, given = sizes) => {
    const made = Object.entries(given).map(([name, bytes]) => [name, createStorage(on, name, bytes)]);
    return Object.fromEntries(made) as Pick<MergeArgs, keyof typeof sizes>;
  };
  const counts = { numStates: 2, rows: ROWS, headDim: D };

  test.each([
    [{ statesO: 4092 }, 'merge: statesO: expected 4096 bytes, got 4092'],
    [{ statesLse: 68 }, 'merge: statesLse: expected 64 bytes, got 68'],
    [{ o: 4096 }, 'merge: o: expected 2048 bytes, got 4096'],
    [{ lse: 28 }, 'merge: lse: expected 32 bytes, got 28'],
  ])('a buffer of another size: %o', async (wrong, expected) => {
    const bind = () => bindMerge(device, { ...counts, ...buffers(device, { ...sizes, ...wrong }) });
    expect(await message(ShapeError, bind)).toBe(expected);
  });

  test.each([
    [{ numStates: 0 }, 'merge: numStates: expected a whole number from 1 to 4096, got 0'],
    [{ numStates: 1.5 }, 'merge: numStates: expected a whole number from 1 to 4096, got 1.5'],
    [{ numStates: 5000 }, 'merge: numStates: expected a whole number from 1 to 4096, got 5000'],
    [{ rows: 0 }, 'merge: rows: expected a whole number from 1 to 65535, got 0'],
    [{ rows: 65536 }, 'merge: rows: expected a whole number from 1 to 65535, got 65536'],
    [{ headDim: 65 }, 'merge: headDim: expected a multiple of 8 from 8 to 512, got 65'],
  ])('%o', async (wrong, expected) => {
    const bind = () => bindMerge(device, { ...counts, ...wrong, ...buffers(device) });
    expect(await message(ShapeError, bind)).toBe(expected);
  });

  test('buffers of another device; and to record once its own is destroyed', async () => {
    using other = await ownDevice();
    const mixed = { ...buffers(device), o: createStorage(other, 'o', sizes.o) };
    const error = await failure(ForeignDeviceError, () => bindMerge(device, { ...counts, ...mixed }));
    expect(error.message).toMatch(/^merge: expected buffers of this device: .*"o"/);
    const bound = await bindMerge(other, { ...counts, ...buffers(other) });
    other.destroy();
    const encoder = device.gpu.createCommandEncoder();
    await failure(DestroyedError, () => bound.record(encoder));
  });
});
