// wholeGroup.ts: the variants of a model at one depth and batch: made ready, then step and parts timed interleaved.
import type { Variant } from '../model/variants.ts';
import type { GqaDevice } from '../../src/index.ts';
import type { Model } from '../../src/models/decoder/model.ts';
import { STEP_PARTS } from '../../src/models/decoder/stepParts.ts';
import { recordCost } from '../run/hostCost.ts';
import { isRowFault } from '../run/rowResult.ts';
import { sampleInterleaved, takeSample, warmUp, type Recorder, type Timed } from '../run/sampling.ts';
import type { PassTimer } from '../run/timer.ts';
import type { RowCheck } from '../schema/schema.ts';
import type { WholeRow } from '../schema/wholeSchema.ts';
import type { WholeLoad, WholeOptions } from './wholeOptions.ts';
import { failedWhole, paramsOf, timedWhole, wrongWhole, type TimedParts } from './wholeRow.ts';
import { WholeTarget } from './wholeTarget.ts';

/** A variant on the device. */
export interface LoadedVariant extends Variant {
  readonly model: Model;
  /** Of its logits; null where nobody asked. */
  readonly check: RowCheck | null;
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
  variants: readonly LoadedVariant[],
  load: WholeLoad,
): AsyncGenerator<WholeGroupEvent> {
  const { timer, options } = context;
  const running = new Map<LoadedVariant, TimedParts>();
  const failed = new Map<LoadedVariant, WholeRow>();
  const where = `depth ${load.depth}, batch ${load.batch}`;
  try {
    for (const [i, variant] of variants.entries()) {
      yield { type: 'progress', text: `preparing ${where}`, share: (READY * i) / variants.length };
      options.signal?.throwIfAborted();
      const params = paramsOf(variant, load, options);
      if (variant.check?.pass === false) {
        failed.set(variant, wrongWhole(params, variant.check));
        continue;
      }
      try {
        const target = await WholeTarget.create(variant.model, params, options.seed);
        running.set(
          variant,
          await prepare(context, variant, params, target).catch((error: unknown) => {
            target.destroy();
            throw error;
          }),
        );
      } catch (error) {
        if (!isRowFault(error)) throw error;
        failed.set(variant, failedWhole(params, error.message));
      }
    }
    const all = [...running.values()].flatMap(({ whole, parts }) => [whole, ...Object.values(parts)]);
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

async function prepare(
  { device, timer }: WholeGroupContext,
  { check }: LoadedVariant,
  params: TimedParts['params'],
  target: WholeTarget,
): Promise<TimedParts> {
  // Or the upload of its caches would be in the first time.
  await device.gpu.queue.onSubmittedWorkDone();
  const timed = async (recorder: Recorder): Promise<Timed & { firstNs: number }> => {
    const { wallNs: firstNs } = await timer.time((pass) => recorder.record(pass));
    const stepsPerSample = await warmUp(device, timer, recorder);
    return { target: recorder, firstNs, stepsPerSample, samplesNs: [], wallNs: [] };
  };
  const whole = await timed(target.whole);
  const ofParts = {} as { -readonly [K in keyof TimedParts['parts']]: TimedParts['parts'][K] };
  for (const part of STEP_PARTS) ofParts[part] = await timed(target.parts[part]);
  return { params, target, check, whole, parts: ofParts, recordNs: recordCost(device, target.whole) };
}
