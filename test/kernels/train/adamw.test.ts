// adamw.test.ts: adamw against its twin: clipping, decay, steps in turn, and steps that must change nothing.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grid } from '../../../src/kernels/kernel.ts';
import { adamw as adamwKernel, adamwGrid, adamwNumbers } from '../../../src/kernels/train/optimiser.ts';
import { trainStepWords } from '../../../src/kernels/train/trainStep.ts';
import { normals } from '../../../src/numbers/random.ts';
import { adamw, type AdamwRule, type AdamwState } from '../../reference/adamw.ts';
import { testDevice } from '../../support/device.ts';
import { exactly, minus, nearly, over, plus, rootOf, type Rounded, times } from '../../support/rounding.ts';
import { runKernel, unwritten } from '../../support/runKernel.ts';
import { IDLE_STEP } from '../../support/trainStep.ts';

const device = await testDevice();

const RULE: AdamwRule = {
  t: 1,
  rate: 2e-3,
  beta1: 0.9,
  beta2: 0.99,
  eps: 1e-8,
  weightDecay: 0.05,
  decayed: 0,
  clip: 0,
};

interface Case {
  readonly count: number;
  readonly rule?: Partial<AdamwRule>;
  readonly figures?: { readonly loss: number; readonly norm: number };
  readonly magnitude?: number;
  /** Default: the one that is chosen. */
  readonly grid?: Grid;
}

const some = (seed: number, count: number, magnitude = 1) =>
  Array.from(normals(seed, count), (x) => Math.fround(x * magnitude));

function caseOf({ count, rule, figures = { loss: 2.5, norm: 3 }, magnitude = 1 }: Case) {
  const state: AdamwState = {
    parameters: some(1, count),
    first: some(2, count, magnitude / 3),
    second: some(3, count, magnitude).map((x) => Math.fround(x * x)),
  };
  return { state, gradients: some(4, count, magnitude), rule: { ...RULE, ...rule }, figures };
}

const NAMES = ['parameters', 'first', 'second'] as const;

/** What lies behind the parameters in their last vec4. */
const BEHIND = -7.5;

/** A step on the device; whatever is behind the parameters must stay. */
async function run(
  { state, gradients, rule, figures }: ReturnType<typeof caseOf>,
  grid?: Grid,
): Promise<AdamwState> {
  const count = gradients.length;
  const padded = (list: readonly number[], behind: number) => {
    const out = new Float32Array(Math.ceil(count / 4) * 4).fill(behind);
    out.set(list);
    return out;
  };
  const slot = 3;
  const slots = unwritten(10);
  slots.set([figures.loss, figures.norm], 2 * slot);
  const out = await runKernel(device, {
    kernel: adamwKernel(),
    grid: grid ?? adamwGrid({ count }),
    inputs: { gradients: padded(gradients, NaN), figures: slots, numbers: adamwNumbers({ ...rule, count }) },
    outputs: Object.fromEntries(NAMES.map((name) => [name, padded(state[name], BEHIND)])),
    step: trainStepWords({
      ...IDLE_STEP,
      ...rule,
      slot,
      correction1: 1 - rule.beta1 ** rule.t,
      correction2: 1 - rule.beta2 ** rule.t,
    }),
  });
  const lists = NAMES.map((name) => [...out[name]!]);
  expect(new Set(lists.flatMap((list) => list.slice(count)))).toEqual(new Set(count % 4 ? [BEHIND] : []));
  return Object.fromEntries(
    NAMES.map((name, i) => [name, lists[i]!.slice(0, count)]),
  ) as unknown as AdamwState;
}

/** A parameter after a step with how far f32 may be, and the averages, by the kernel's operations; numbers of the rule are rounded once. */
function bounded({ state, gradients, rule, figures }: ReturnType<typeof caseOf>, i: number): Rounded[] {
  const { t, rate, beta1, beta2, eps, weightDecay, decayed, clip } = rule;
  const norm = nearly(figures.norm);
  const factor = clip > 0 && figures.norm > clip ? over(nearly(clip), norm) : exactly(1);
  const gradient = times(exactly(gradients[i]!), factor);
  const first = plus(times(nearly(beta1), exactly(state.first[i]!)), times(nearly(1 - beta1), gradient));
  const second = plus(
    times(nearly(beta2), exactly(state.second[i]!)),
    times(times(nearly(1 - beta2), gradient), gradient),
  );
  const below = plus(rootOf(over(second, nearly(1 - beta2 ** t))), nearly(eps));
  const moved = over(over(first, nearly(1 - beta1 ** t)), below);
  const old = exactly(state.parameters[i]!);
  const decay = i < decayed ? times(nearly(weightDecay), old) : exactly(0);
  return [minus(old, times(nearly(rate), plus(moved, decay))), first, second];
}

function expectStep(c: ReturnType<typeof caseOf>, got: AdamwState): void {
  const truth = adamw(c.state, c.gradients, c.rule, c.figures);
  const wrong: string[] = [];
  for (let i = 0; i < c.gradients.length; i++) {
    const bounds = bounded(c, i);
    for (const [n, name] of NAMES.entries()) {
      const [is, want, { value, error }] = [got[name][i]!, truth[name][i]!, bounds[n]!];
      if (!(Math.abs(value - want) <= 1e-12 * (1 + Math.abs(want))))
        wrong.push(`${name}[${i}]: ${value}, the twin ${want}`);
      if (!(Math.abs(is - want) <= error))
        wrong.push(`${name}[${i}]: expected ${want} within ${error}, got ${is}`);
    }
  }
  expect(wrong.slice(0, 5)).toEqual([]);
}

async function check(options: Case): Promise<void> {
  const c = caseOf(options);
  expectStep(c, await run(c, options.grid));
}

test.each([1, 2, 3, 4, 5, 255, 256, 257, 1000])('%i parameters', (count) => check({ count, rule: { t: 3 } }));

test('a grid that is folded', () => check({ count: 1201, grid: [2, 3, 1] }));

test.each([0, 1, 2, 50, 99, 100, 1000])('the first %i of 100 decay', (decayed) =>
  check({ count: 100, rule: { decayed } }),
);

describe('clipping', () => {
  test.each([
    [1, 3],
    [3, 3],
    [3, 1],
    [1, 0],
    [0, 3],
    [0.01, 1e6],
  ])('to %f of gradients of norm %f', (clip, norm) =>
    check({ count: 64, rule: { clip, t: 2 }, figures: { loss: 1, norm } }),
  );
});

test('gradients large and small, and an epsilon that counts', async () => {
  for (const magnitude of [1e-10, 1e10]) await check({ count: 64, magnitude });
  await check({ count: 64, rule: { eps: 0.5 } });
});

test('a first step without epsilon and decay moves each parameter by the rate', async () => {
  const c = caseOf({ count: 8, rule: { eps: 0, weightDecay: 0 } });
  const zeros = c.gradients.map(() => 0);
  const { parameters } = await run({ ...c, state: { ...c.state, first: zeros, second: zeros } });
  for (const [i, parameter] of parameters.entries()) {
    expect(parameter - c.state.parameters[i]!).toBeCloseTo(-RULE.rate * Math.sign(c.gradients[i]!), 6);
  }
});

test('steps in turn, each on what the one before left', async () => {
  let { state } = caseOf({ count: 40 });
  for (let t = 1; t <= 5; t++) {
    const c = {
      ...caseOf({ count: 40, rule: { t, decayed: 20, clip: 1 } }),
      state,
      gradients: some(10 + t, 40),
    };
    const next = await run(c);
    expectStep(c, next);
    state = next;
  }
});

test.each([
  [NaN, 1],
  [Infinity, 1],
  [1, NaN],
  [1, Infinity],
  [-Infinity, NaN],
])('a loss of %f and a norm of %f change nothing', async (loss, norm) => {
  const c = caseOf({ count: 70, rule: { decayed: 70, clip: 1 }, figures: { loss, norm } });
  for (const gradients of [c.gradients, c.gradients.map(() => NaN)])
    expect(await run({ ...c, gradients })).toEqual(c.state);
});

test('the twin does as PyTorch does', () => {
  let state: AdamwState = { parameters: [1, -2, 0.5, 3], first: [0, 0, 0, 0], second: [0, 0, 0, 0] };
  for (let t = 1; t <= 5; t++) {
    const gradients = state.parameters.map((_, i) => Math.sin(1 + 4 * t + i));
    const rule = { ...RULE, t, rate: 0.01, weightDecay: 0.1, decayed: 4 };
    state = adamw(state, gradients, rule, { loss: 1, norm: 1 });
  }
  // torch.optim.AdamW of PyTorch 1.13 in float64, with these parameters and gradients.
  const theirs: AdamwState = {
    parameters: [1.011877901363474, -1.9679930617870707, 0.4886739749065533, 2.9690509888819476],
    first: [-0.0016982645191210557, -0.04622637714787331, -0.048254171810731404, -0.005917303446317806],
    second: [0.02836161695226866, 0.0188236070069038, 0.025376899824520432, 0.029460645619848746],
  };
  for (const name of NAMES)
    for (const [i, value] of theirs[name].entries()) expect(state[name][i]).toBeCloseTo(value, 13);
});

test('any step', async () => {
  const shape = fc.record({
    count: fc.integer({ min: 1, max: 700 }),
    rule: fc.record({
      t: fc.integer({ min: 1, max: 1000 }),
      rate: fc.double({ min: 1e-6, max: 1e-1, noNaN: true }),
      beta1: fc.double({ min: 0, max: 0.99, noNaN: true }),
      beta2: fc.double({ min: 0.5, max: 0.999, noNaN: true }),
      weightDecay: fc.constantFrom(0, 0.1),
      decayed: fc.nat(800),
      clip: fc.constantFrom(0, 0.5, 10),
    }),
  });
  await fc.assert(fc.asyncProperty(shape, check), { numRuns: 15, seed: 10, endOnFailure: true });
});
