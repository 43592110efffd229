// check.ts: runs named cases through the kernels of a device and holds the results against float64.
import {
  cacheLayout,
  DestroyedError,
  DeviceLostError,
  GqaError,
  type DecodeKernel,
  type DeviceFacts,
  type FusedTemplate,
  type FusedVariant,
  type GqaDevice,
} from '../../src/index.ts';
import { DECODE_KERNELS, planContext } from '../../src/decode/planContext.ts';
import { f16Bits, f16Value } from '../../src/numbers/halves.ts';
import { elementName, type CheckCase } from './checkCase.ts';
import { randomProblem, shapeOf, type StoredProblem } from '../../src/reference/problem.ts';
import { cacheOptionsOf, runProblem } from './runProblem.ts';
import { expect64, largest, verify, type Expected, type Verdict } from '../../src/reference/verify.ts';

/** All but `prefill`, which steps of so few positions get only where it is asked for. */
export const STANDARD_KERNELS = DECODE_KERNELS.filter((kernel) => kernel !== 'prefill');

/** One run of a case: by which kernel and, for the fused one, in which variant. */
export interface CheckRun {
  readonly case: CheckCase;
  readonly kernel: DecodeKernel;
  readonly variant?: FusedVariant;
}

/** What came of a run: a verdict, or the message of the error that kept the kernel from running. */
export interface CheckRow extends Omit<CheckRun, 'case'> {
  readonly case: string;
  /** Element type of K and V: `f16`, or `f16-f32`. */
  readonly elements: string;
  readonly verdict?: Verdict;
  readonly error?: string;
}

/** Which cases and kernels to check. */
export interface CheckOptions {
  readonly cases: readonly CheckCase[];
  /** What the device can run. Default: as it says itself; its subgroups may turn out to be of no use (`probedFacts`). */
  readonly facts?: DeviceFacts;
  /** Default: all. */
  readonly kernels?: readonly DecodeKernel[];
  /** Aborts between two runs. */
  readonly signal?: AbortSignal;
  /** Runs a problem on the device. Default `runProblem`. */
  readonly run?: typeof runProblem;
}

/** The runs of `runChecks`, in its order: each case by every kernel, in every variant the device has of it. */
export function planChecks(
  facts: DeviceFacts,
  { cases, kernels = STANDARD_KERNELS }: CheckOptions,
): CheckRun[] {
  return cases.flatMap((each) =>
    kernels.flatMap((kernel): CheckRun[] =>
      kernel === 'plain'
        ? [{ case: each, kernel }]
        : variantsOf(facts, each, kernel).map((variant) => ({ case: each, kernel, variant })),
    ),
  );
}

/**
 * The sizes a device would take for a template: none where it cannot run it, or where the case wants only the template
 * that the device would take.
 */
function variantsOf(
  facts: DeviceFacts,
  { problem, variants, places }: CheckCase,
  kernel: FusedTemplate,
): FusedVariant[] {
  const shape = shapeOf(problem);
  const layout = cacheLayout(cacheOptionsOf(problem, places));
  if (variants === 'chosen' && planContext(shape, layout, facts).kernel !== kernel) return [];
  if (kernel === 'registers' && !facts.subgroups) return [];
  const { variant } = planContext(shape, layout, facts, { kernel });
  return [variant];
}

/**
 * Checks the cases one by one. A kernel that fails to compile or run gives a row with an error, and the next run
 * follows; a lost or destroyed device, and an abort, end the generator with that error.
 */
export async function* runChecks(
  device: GqaDevice,
  options: CheckOptions,
): AsyncGenerator<CheckRow, void, void> {
  const { run = runProblem, signal, facts = device.facts } = options;
  let prepared: Prepared | undefined;
  for (const { case: each, kernel, variant } of planChecks(facts, options)) {
    signal?.throwIfAborted();
    if (prepared?.case !== each) prepared = prepare(each);
    const { problem, expected } = prepared;
    const row = { case: each.name, kernel, ...(variant && { variant }), elements: elementName(problem) };
    try {
      const { places } = each;
      const { o, lse } = await run(device, problem, {
        kernel,
        ...(variant && { variant }),
        ...(places && { places }),
      });
      yield { ...row, verdict: verify(expected, o, lse) };
    } catch (error) {
      if (!(error instanceof GqaError)) throw error;
      if (error instanceof DeviceLostError || error instanceof DestroyedError) throw error;
      yield { ...row, error: error.message };
    }
  }
}

interface Prepared {
  readonly case: CheckCase;
  readonly problem: StoredProblem;
  readonly expected: Expected;
}

// The float64 reference costs more than the run on a GPU: made once for all runs of a case.
function prepare(each: CheckCase): Prepared {
  const { q, o } = each.places ?? {};
  const random = randomProblem(each.problem);
  const problem = q?.type === 'f16' ? { ...random, q: Float32Array.from(random.q, roundToHalf) } : random;
  const expected = expect64(problem);
  return { case: each, problem, expected: o?.type === 'f16' ? roundedOutputs(expected) : expected };
}

function roundToHalf(x: number): number {
  return f16Value(f16Bits(x));
}

/** Outputs that are stored as f16 may be off by half a place of the largest of them, too. */
function roundedOutputs(expected: Expected): Expected {
  return { ...expected, bound: expected.bound + largest(expected.truth.o) * 2 ** -11 };
}
