// prefill.ts: what share of a plain matrix product's rate the prefill kernel reaches on this device, in one run.
import {
  createDecoder,
  createKvCache,
  createStorage,
  readBack,
  uploadStorage,
  type DecodePlan,
  type GqaDevice,
} from '../../src/index.ts';
import { rangeOf } from '../../src/device/buffers.ts';
import { bindKernel, dispatch } from '../../src/device/record.ts';
import { matmul, type MatmulVariant } from '../../src/kernels/probe/matmul.ts';
import { normals } from '../../src/numbers/random.ts';
import { randomProblem } from '../../src/reference/problem.ts';
import { rowProblem, spotRows } from '../check/rowProblem.ts';
import { expect64, verify, type Verdict } from '../../src/reference/verify.ts';
import { PassTimer, type RecordPass, type Sample } from '../run/timer.ts';
import { median } from '../schema/stats.ts';

/** A prompt of one sequence, all of it at once. */
export interface PrefillSizes {
  readonly tokens: number;
  readonly numQHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  /** Rows, columns and inner size of the product. */
  readonly matmul: number;
  readonly samples: number;
}

/** A contestant's times and rate, of the operations that count: of causal attention those of keys that are seen. */
export interface PrefillRate {
  readonly name: string;
  readonly samplesMs: readonly number[];
  readonly gflops: number;
}

export interface PrefillStudy {
  readonly prefill: PrefillRate;
  /** The best of the variants that were tried. */
  readonly matmul: PrefillRate;
  readonly dispatches: DecodePlan['dispatches'];
  /** Of the rows that `spotRows` names, against float64. */
  readonly verdicts: readonly Verdict[];
  /** The largest error of the products, on a row of each, as a part of its largest magnitude. */
  readonly matmulError: number;
}

/** Products that are tried: which is best depends on the device. */
export const MATMUL_VARIANTS: readonly MatmulVariant[] = [
  { wgSize: 8, rows: 4, columns: 1 },
  { wgSize: 8, rows: 8, columns: 1 },
  { wgSize: 8, rows: 8, columns: 2 },
  { wgSize: 64, rows: 4, columns: 1 },
  { wgSize: 64, rows: 8, columns: 1 },
];

interface Contestant {
  readonly name: string;
  readonly operations: number;
  readonly record: RecordPass;
}

/** Times prefill and products in turn, and holds rows of both against float64. */
export async function runPrefill(
  device: GqaDevice,
  sizes: PrefillSizes,
  show: (what: string) => void = () => {},
): Promise<PrefillStudy> {
  const made: { destroy(): void }[] = [];
  const keep = <T extends { destroy(): void }>(resource: T): T => {
    made.push(resource);
    return resource;
  };
  try {
    const timer = keep(new PassTimer(device));
    await timer.calibrate();
    show('compiling');
    const attention = await prefillContestant(device, sizes, keep);
    const products = await matmulContestants(device, sizes.matmul, keep);
    const rates = await rateAll(timer, [attention, ...products.all], sizes.samples, show);
    show('computing rows in float64');
    const [prefill, ...rest] = rates;
    return {
      prefill: prefill!,
      matmul: rest.reduce((best, rate) => (rate.gflops > best.gflops ? rate : best)),
      dispatches: attention.plan.dispatches,
      verdicts: await attention.check(),
      matmulError: await products.check(timer),
    };
  } finally {
    for (const resource of made.toReversed()) resource.destroy();
  }
}

/** Samples of all, taken in turn; the first of each, which may compile, is not counted. */
async function rateAll(
  timer: PassTimer,
  all: readonly Contestant[],
  samples: number,
  show: (what: string) => void,
): Promise<PrefillRate[]> {
  const taken = all.map((): number[] => []);
  for (let round = -1; round < samples; round++) {
    for (const [n, { name, record }] of all.entries()) {
      show(`${name}, sample ${round + 1} of ${samples}`);
      const { ns }: Sample = await timer.time(record);
      if (round >= 0) taken[n]!.push(ns);
    }
  }
  return all.map(({ name, operations }, n) => {
    const samplesNs = taken[n]!;
    return { name, samplesMs: samplesNs.map((ns) => ns / 1e6), gflops: operations / median(samplesNs) };
  });
}

type Keep = <T extends { destroy(): void }>(resource: T) => T;

async function prefillContestant(device: GqaDevice, sizes: PrefillSizes, keep: Keep) {
  const { tokens, numQHeads, numKvHeads, headDim } = sizes;
  const problem = randomProblem({ numQHeads, numKvHeads, headDim, qLen: tokens, kvLens: [tokens] });
  const cache = keep(await createKvCache(device, { numKvHeads, headDim, capacity: tokens }));
  cache.load({ k: problem.kStored, v: problem.vStored, kvLens: [tokens] });
  const decoder = keep(await createDecoder(device, { cache, numQHeads, qLen: tokens }));
  const q = keep(uploadStorage(device, 'q', problem.q));
  const o = keep(uploadStorage(device, 'o', new Float32Array(problem.q.length).fill(NaN)));
  const lse = keep(uploadStorage(device, 'lse', new Float32Array(numQHeads * tokens).fill(NaN)));
  const step = await decoder.bind({ q, o, lse });
  const plan = decoder.plan({ kvLens: [tokens] });
  return {
    name: `prefill of ${tokens} tokens at ${numQHeads}/${numKvHeads}/${headDim}`,
    operations: 2 * numQHeads * headDim * tokens * (tokens + 1),
    record: (pass: GPUComputePassEncoder) => step.record(pass, plan),
    plan,
    check: async () => {
      const outputs = new Float32Array(await readBack(device, o));
      const sums = new Float32Array(await readBack(device, lse));
      return spotRows(problem).map((at) => {
        const row = at[1] * tokens + at[2];
        const got = outputs.subarray(row * headDim, (row + 1) * headDim);
        return verify(expect64(rowProblem(problem, at)), got, sums.subarray(row, row + 1));
      });
    },
  };
}

async function matmulContestants(device: GqaDevice, size: number, keep: Keep) {
  const [a, b] = [normals(1, size * size), normals(2, size * size)];
  const buffers = {
    a: keep(uploadStorage(device, 'a', a)),
    b: keep(uploadStorage(device, 'b', b)),
    c: keep(createStorage(device, 'c', size * size * 4)),
  };
  const all: Contestant[] = [];
  for (const variant of MATMUL_VARIANTS) {
    const { kernel, grid } = matmul({ m: size, n: size, k: size }, variant);
    const compiled = await device.pipelines.get(kernel);
    const bound = bindKernel(device.gpu, compiled, {
      a: rangeOf('a', buffers.a),
      b: rangeOf('b', buffers.b),
      c: rangeOf('c', buffers.c),
    });
    const { wgSize, rows, columns } = variant;
    all.push({
      name: `matmul of ${size}, ${rows} rows by ${columns} vec4s, ${wgSize} invocations`,
      operations: 2 * size ** 3,
      record: (pass) => dispatch(pass, bound, grid),
    });
  }
  /** The largest error of any of them, on the last row. */
  const check = async (timer: PassTimer) => {
    const row = (size - 1) * size;
    const want = Array.from({ length: size }, (_, n) => {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += a[row + i]! * b[i * size + n]!;
      return sum;
    });
    const errors: number[] = [];
    for (const { record } of all) {
      await timer.time(record);
      const c = new Float32Array(await readBack(device, buffers.c)).subarray(row);
      errors.push(...want.map((x, n) => Math.abs(c[n]! - x)));
    }
    return Math.max(...errors) / Math.max(...want.map(Math.abs));
  };
  return { all, check };
}
