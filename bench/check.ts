// check.ts: runs named cases through the kernels of a device and holds the results against float64.
import {
  cacheLayout,
  checkShape,
  DECODE_KERNELS,
  DestroyedError,
  DeviceLostError,
  GqaError,
  planContext,
  type DecodeKernel,
  type DeviceFacts,
  type GqaDevice,
  type SplitVariant,
} from '../src/index.ts';
import { elementName, type CheckCase } from './cases.ts';
import { randomProblem, runProblem, type ProblemOptions } from './problem.ts';
import { expect64, verify, type Verdict } from './verify.ts';

/** One run of a case: by which kernel and, for the fused one, in which variant. */
export interface CheckRun {
  readonly case: CheckCase;
  readonly kernel: DecodeKernel;
  readonly variant?: SplitVariant;
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
  /** Default: all. */
  readonly kernels?: readonly DecodeKernel[];
  /** Aborts between two runs. */
  readonly signal?: AbortSignal;
  /** Runs a problem on the device. Default `runProblem`. */
  readonly run?: typeof runProblem;
}

/** The runs of `runChecks`, in its order: each case by the fused kernel in every variant the device has, and by the plain one. */
export function planChecks(facts: DeviceFacts, { cases, kernels = DECODE_KERNELS }: CheckOptions): CheckRun[] {
  return cases.flatMap((each) =>
    kernels.flatMap((kernel): CheckRun[] =>
      kernel === 'plain'
        ? [{ case: each, kernel }]
        : fusedVariants(facts, each.problem).map((variant) => ({ case: each, kernel, variant })),
    ),
  );
}

/** The variant that the device would take, and the one without subgroups. */
function fusedVariants(facts: DeviceFacts, problem: ProblemOptions): SplitVariant[] {
  const capacity = Math.max(1, ...problem.kvLens);
  const { variant } = planContext(checkShape(problem), cacheLayout({ capacity, ...problem }), facts);
  return variant.reduce === 'subgroup' ? [variant, { ...variant, reduce: 'workgroup' }] : [variant];
}

/**
 * Checks the cases one by one. A kernel that fails to compile or run gives a row with an error, and the next run
 * follows; a lost or destroyed device, and an abort, end the generator with that error.
 */
export async function* runChecks(device: GqaDevice, options: CheckOptions): AsyncGenerator<CheckRow, void, void> {
  const { run = runProblem, signal } = options;
  const prepared = new Map<CheckCase, ReturnType<typeof prepare>>();
  for (const { case: each, kernel, variant } of planChecks(device.facts, options)) {
    signal?.throwIfAborted();
    if (!prepared.has(each)) prepared.clear();
    const { problem, expected } = prepared.get(each) ?? prepare(each);
    prepared.set(each, { problem, expected });
    const row = { case: each.name, kernel, ...(variant && { variant }), elements: elementName(problem) };
    try {
      const { o, lse } = await run(device, problem, { kernel, ...(variant && { variant }) });
      yield { ...row, verdict: verify(expected, o, lse) };
    } catch (error) {
      if (!(error instanceof GqaError)) throw error;
      if (error instanceof DeviceLostError || error instanceof DestroyedError) throw error;
      yield { ...row, error: error.message };
    }
  }
}

function prepare({ problem }: CheckCase) {
  const made = randomProblem(problem);
  return { problem: made, expected: expect64(made) };
}
