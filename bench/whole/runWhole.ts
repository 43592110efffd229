// runWhole.ts: a run of whole models: the variants loaded, and at each depth and batch timed interleaved.
import { nameOf, type Variant } from '../model/variants.ts';
import { GpuError, LimitExceededError, type GqaDevice, type GqaError } from '../../src/index.ts';
import { subgroupReports } from '../../src/decode/probe.ts';
import { planMemory } from '../../src/models/decoder/memoryPlan.ts';
import type { ModelSource } from '../../src/models/decoder/modelSource.ts';
import { loadModel, loadVariant, type Model } from '../../src/models/decoder/model.ts';
import { measureCeiling } from '../run/ceiling.ts';
import { coldBytesOf, rotatedBytesOf } from '../run/coldCaches.ts';
import { describeContext } from '../run/context.ts';
import { lossOr, partialFields, partialOf } from '../run/endedEarly.ts';
import { PassTimer } from '../run/timer.ts';
import { runWarnings } from '../run/warnings.ts';
import { wholeShare } from '../schema/rates.ts';
import type { CeilingContext, PartialRun } from '../schema/schema.ts';
import { SUITE, WHOLE_SCHEMA } from '../schema/version.ts';
import type { WholeResult, WholeRow } from '../schema/wholeSchema.ts';
import { formatBytes } from '../text/format.ts';
import { checkVariant } from './checkVariant.ts';
import { runGroup, type LoadedVariant, type UnloadedVariant, type WholeGroupContext } from './wholeGroup.ts';
import { loadsOf, type WholeOptions } from './wholeOptions.ts';

/** What a run reports while it goes on; `failed` before a result that an error has cut short. */
export type WholeEvent =
  | { readonly type: 'progress'; readonly text: string; readonly share: number }
  | { readonly type: 'row'; readonly row: WholeRow }
  | { readonly type: 'soFar'; readonly result: WholeResult }
  | { readonly type: 'failed'; readonly error: unknown };

/** Share of a run that goes by until its models are loaded. */
const LOADED = 0.3;

/**
 * Runs it, yields progress and rows as they finish, and returns the whole result. An abort, a lost device or another error ends it
 * with the rows that are finished, marked as partial; it rejects where there are none.
 */
export async function* runWhole(
  device: GqaDevice,
  options: WholeOptions,
): AsyncGenerator<WholeEvent, WholeResult> {
  const timer = new PassTimer(device, options);
  const variants: (LoadedVariant | UnloadedVariant)[] = [];
  try {
    yield { type: 'progress', text: 'measuring the read ceiling', share: 0 };
    await timer.calibrate();
    const { software } = device.facts;
    const coldBytes = coldBytesOf(software, options.lastLevelCacheBytes);
    const ceiling = await measureCeiling(device, timer, rotatedBytesOf(software, coldBytes), options.signal);
    for (const [i, variant] of options.variants.entries()) {
      options.signal?.throwIfAborted();
      const text = `loading ${nameOf(variant)}${options.check ? ', and checking it' : ''}`;
      yield { type: 'progress', text, share: (LOADED * i) / options.variants.length };
      variants.push(await readVariant(device, options, variant, loadedOf(variants)[0]?.model));
    }
    const context = { device, timer, options, coldBytes };
    return yield* new Run(context, ceiling).run(variants);
  } finally {
    for (const { model } of loadedOf(variants).toReversed()) model.destroy();
    timer.destroy();
  }
}

function loadedOf(variants: readonly (LoadedVariant | UnloadedVariant)[]): LoadedVariant[] {
  return variants.filter((variant) => 'model' in variant);
}

/**
 * Loads a variant and checks it, or says what the device has no room for. All but its attention is that of `first`: several fit where
 * two whole models would not.
 */
async function readVariant(
  device: GqaDevice,
  options: WholeOptions,
  variant: Variant,
  first: Model | undefined,
): Promise<LoadedVariant | UnloadedVariant> {
  const { model, weightType, check } = options;
  const source = await model.open(variant);
  try {
    const { spec } = source;
    const ofWeights = weightType === undefined ? {} : { weightType };
    const loaded = first
      ? await loadVariant(first, source, ofWeights)
      : await loadModel(device, source, ofWeights);
    try {
      const checked = check ? await checkVariant(loaded, source, options) : null;
      return { ...variant, spec, model: loaded, check: checked };
    } catch (error) {
      loaded.destroy();
      throw error;
    }
  } catch (error) {
    if (!isRoomFault(error)) throw error;
    // WebGPU gives the memory of what was loaded back with the next submit.
    device.gpu.queue.submit([]);
    return { ...variant, spec: source.spec, fault: roomText(error, source, options, device) };
  } finally {
    await source.close();
  }
}

/** What there was no room for: a limit and what it would have to be, or a buffer, and then what the weights take in all. */
function roomText(
  error: GqaError,
  source: ModelSource,
  { weightType }: WholeOptions,
  { facts }: GqaDevice,
): string {
  if (error instanceof LimitExceededError) return error.message;
  const { weights } = planMemory(source, { capacity: 1, ...(weightType && { weightType }) }, facts);
  return `${error.message}; the weights of this variant take ${formatBytes(weights)}`;
}

/** Whether the device had no room. What else keeps a model from being loaded, a missing tensor say, ends the run. */
function isRoomFault(error: unknown): error is GqaError {
  return error instanceof LimitExceededError || error instanceof GpuError;
}

/** The rows of a run, once its ceiling is known and its models are loaded. */
class Run {
  readonly #context: WholeGroupContext;
  readonly #ceiling: CeilingContext;
  readonly #rows: WholeRow[] = [];

  constructor(context: WholeGroupContext, ceiling: CeilingContext) {
    this.#context = context;
    this.#ceiling = ceiling;
  }

  async *run(
    variants: readonly (LoadedVariant | UnloadedVariant)[],
  ): AsyncGenerator<WholeEvent, WholeResult> {
    const { device, options } = this.#context;
    const loads = loadsOf(options);
    const total = loads.length * variants.length;
    for (const [done, load] of loads.entries()) {
      try {
        options.signal?.throwIfAborted();
        for await (const event of runGroup(this.#context, variants, load)) {
          if (event.type === 'row') {
            this.#rows.push(event.row);
            yield event;
            continue;
          }
          yield { ...event, share: LOADED + ((1 - LOADED) * (done + event.share)) / loads.length };
        }
      } catch (thrown) {
        const aborted = options.signal?.aborted === true && thrown === options.signal.reason;
        const error = aborted ? thrown : await lossOr(device, thrown);
        if (this.#rows.length === 0) throw error;
        if (!aborted) yield { type: 'failed', error };
        return this.#result(partialOf(error, total));
      }
      const running = { code: 'running', reason: 'written while the run went on', rows: total };
      if (done < loads.length - 1) yield { type: 'soFar', result: await this.#result(running) };
    }
    const { signal } = options;
    return this.#result(signal?.aborted ? partialOf(signal.reason, total) : undefined);
  }

  async #result(partial?: PartialRun): Promise<WholeResult> {
    const { device, timer, options, coldBytes } = this.#context;
    const { lastLevelCacheBytes } = options;
    const rows = [...this.#rows];
    const fields = partialFields(partial, rows.length);
    const measured = {
      ceiling: this.#ceiling,
      coldBytes,
      ...(lastLevelCacheBytes !== undefined && { lastLevelCacheBytes }),
    };
    const warnings = [
      ...fields.warnings,
      ...runWarnings(
        timer,
        rows,
        rows.flatMap((row) => wholeShare(this.#ceiling, row) ?? []),
      ),
    ];
    const subgroupProbes = await subgroupReports(device);
    const context = describeContext(device, options, timer, measured, {
      ...fields,
      subgroupProbes,
      warnings,
    });
    return {
      schema: WHOLE_SCHEMA,
      suite: SUITE,
      context: { ...context, randomWeights: options.model.isRandom },
      results: rows,
    };
  }
}
