// wholeGroup.ts: the variants of a model at one depth and batch: made ready, then step and parts timed interleaved.
import type { Variant } from '../model/variants.ts';
import type { GqaDevice } from '../../src/index.ts';
import type { Model } from '../../src/models/decoder/model.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { STEP_PARTS } from '../../src/models/decoder/stepParts.ts';
import { recordCost, submitCost } from '../run/hostCost.ts';
import { isRowFault } from '../run/rowResult.ts';
import { sampleInterleaved, takeSample, timeSteps, warmUp, type Recorder } from '../run/sampling.ts';
import type { PassTimer } from '../run/timer.ts';
import type { RowCheck } from '../schema/schema.ts';
import type { WholeParams, WholeRow } from '../schema/wholeSchema.ts';
import type { WholeLoad, WholeOptions } from './wholeOptions.ts';
import { PromptTarget } from './promptTarget.ts';
import { failedWhole, paramsOf, timedWhole, wrongWhole, type TimedParts, type TimedRow } from './wholeRow.ts';
import { STEPS_OF_SUBMIT, WholeTarget } from './wholeTarget.ts';

/** A variant on the device. */
export interface LoadedVariant extends Variant {
  readonly spec: ModelSpec;
  readonly model: Model;
  /** Of its logits; null where nobody asked. */
  readonly check: RowCheck | null;
}

/** A variant that the device has no room for, and why. */
export interface UnloadedVariant extends Variant {
  readonly spec: ModelSpec;
  readonly fault: string;
}

/** What all groups of a run share. */
export interface WholeGroupContext {
  readonly device: GqaDevice;
  readonly timer: PassTimer;
  readonly options: WholeOptions;
  readonly coldBytes: number;
}

/** What a group reports while it goes on; `share` is how much of the group is done, from 0 to 1. */
export type WholeGroupEvent =
  | { readonly type: 'progress'; readonly text: string; readonly share: number }
  | { readonly type: 'row'; readonly row: WholeRow };

/** How much of a group's time goes by before it is sampled. */
const READY = 0.4;

/** Yields a row for each variant when all are finished. An abort before the first round of samples rejects with its reason. */
export async function* runGroup(
  context: WholeGroupContext,
  variants: readonly (LoadedVariant | UnloadedVariant)[],
  load: WholeLoad,
): AsyncGenerator<WholeGroupEvent> {
  const { timer, options } = context;
  const running = new Map<Variant, TimedRow>();
  const failed = new Map<Variant, WholeRow>();
  const where = `${load.prompt === undefined ? 'depth' : 'prompts of'} ${load.depth}, batch ${load.batch}`;
  try {
    for (const [i, variant] of variants.entries()) {
      yield { type: 'progress', text: `preparing ${where}`, share: (READY * i) / variants.length };
      options.signal?.throwIfAborted();
      const params = paramsOf(variant, load, options);
      if ('fault' in variant) {
        failed.set(variant, failedWhole(params, variant.fault));
        continue;
      }
      if (variant.check?.pass === false) {
        failed.set(variant, wrongWhole(params, variant.check));
        continue;
      }
      try {
        running.set(variant, await openRow(context, variant, params));
      } catch (error) {
        if (!isRowFault(error)) throw error;
        failed.set(variant, failedWhole(params, error.message));
      }
    }
    const all = [...running.values()].flatMap(({ whole, parts }) => [
      whole,
      ...Object.values(parts?.samplings ?? {}),
    ]);
    const sampling = sampleInterleaved(all, (each) => takeSample(timer, each), options);
    let step = await sampling.next();
    for (; !step.done; step = await sampling.next()) {
      const { number, share } = step.value;
      yield { type: 'progress', text: `${where}: round ${number}`, share: READY + (1 - READY) * share };
    }
    for (const variant of variants) {
      const timed = running.get(variant);
      yield {
        type: 'row',
        row: timed ? timedWhole(timed, step.value, context.coldBytes) : failed.get(variant)!,
      };
    }
  } finally {
    for (const { target } of running.values()) target.destroy();
    // WebGPU gives memory back with the next submit.
    context.device.gpu.queue.submit([]);
  }
}

/** Time for a submission of steps whose cost to the host is measured. */
const SUBMITTED_NS = 250e6;

/** Allocates what a row needs, and warms it up. */
async function openRow(
  context: WholeGroupContext,
  { model, check }: LoadedVariant,
  params: WholeParams,
): Promise<TimedRow> {
  const { seed } = context.options;
  const { prompt } = params;
  const target =
    prompt === undefined
      ? await WholeTarget.create(model, params, seed)
      : await PromptTarget.create(model, params, prompt, seed);
  try {
    return { params, target, check, ...(await prepare(context, target)) };
  } catch (error) {
    target.destroy();
    throw error;
  }
}

async function prepare(
  { device, timer }: WholeGroupContext,
  target: TimedRow['target'],
): Promise<Pick<TimedRow, 'whole' | 'parts' | 'recordNs'>> {
  // Or the upload of its caches would be in the first time.
  await device.gpu.queue.onSubmittedWorkDone();
  const timed = async (recorder: Recorder): Promise<TimedRow['whole']> => {
    const { wallNs: firstNs } = await timeSteps(timer, recorder, 1);
    const stepsPerSample = await warmUp(device, timer, recorder);
    return { target: recorder, firstNs, stepsPerSample, samplesNs: [], wallNs: [] };
  };
  const whole = await timed(target.whole);
  if (target instanceof PromptTarget) return { whole, recordNs: recordCost(device, target.whole) };
  // Where a step takes long, the host is not the limit: fewer of them are submitted together.
  const steps = Math.max(1, Math.min(STEPS_OF_SUBMIT, Math.floor(SUBMITTED_NS / whole.firstNs)));
  const recordNs = await submitCost(device, target.stepped, steps);
  const samplings = {} as { -readonly [K in keyof TimedParts['samplings']]: TimedParts['samplings'][K] };
  for (const part of STEP_PARTS) samplings[part] = await timed(target.parts[part]);
  return { whole, parts: { target, samplings }, recordNs };
}
