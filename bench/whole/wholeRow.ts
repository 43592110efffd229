// wholeRow.ts: what a variant's samples, or the error that kept it from any, come to in the result.
import type { Variant } from '../model/variants.ts';
import { STEP_PARTS, type StepPart } from '../../src/models/decoder/stepParts.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { wrongText } from '../check/rowCheck.ts';
import { noiseOf, rowTime } from '../run/rowResult.ts';
import { variantName } from '../run/rows.ts';
import { clockFault, type Timed } from '../run/sampling.ts';
import type { RowCheck, RowTime } from '../schema/schema.ts';
import type { WholeParams, WholePart, WholeRow } from '../schema/wholeSchema.ts';
import type { WholeLoad, WholeOptions } from './wholeOptions.ts';
import { eachPart, type WholeTarget } from './wholeTarget.ts';

type Sampling = Timed & { readonly firstNs: number };

/** A variant on its way: its step and the parts of it, with their samples. */
export interface TimedParts {
  readonly params: WholeParams;
  readonly target: WholeTarget;
  readonly check: RowCheck | null;
  readonly whole: Sampling;
  readonly parts: Readonly<Record<StepPart, Sampling>>;
  readonly recordNs: number | null;
}

/** What a row measures. */
export function paramsOf(
  { kvHeads, method, model }: Variant & { readonly model: { readonly spec: ModelSpec } },
  { batch, depth }: WholeLoad,
  { model: { name }, kType, vType, weightType }: WholeOptions,
): WholeParams {
  const { layers } = model.spec;
  const { numQHeads, headDim } = layers[0]!.attention;
  return {
    model: name,
    layers: layers.length,
    heads: numQHeads,
    kvHeads,
    headDim,
    ...(method !== undefined && { method }),
    batch,
    depth,
    kType,
    vType,
    ...(weightType !== undefined && { weightType }),
  };
}

function baseOf(params: WholeParams) {
  const { kvHeads, method, batch, depth } = params;
  const merged = method === undefined ? '' : `_${method}`;
  return { id: `kv${kvHeads}${merged}_b${batch}_d${depth}`, variant: variantName(params), params };
}

/** A row without a time. */
export function failedWhole(params: WholeParams, error: string): WholeRow {
  const none = { bytes: { weights: 0, kv: 0 }, dispatches: 0, cold: false, check: null };
  return { ...baseOf(params), ...none, time: null, error, warnings: [] };
}

/** A row whose model was wrong before it was timed. */
export function wrongWhole(params: WholeParams, check: RowCheck): WholeRow {
  return {
    ...failedWhole(params, `wrong result: ${wrongText(check)} (gqa check --model says where)`),
    check,
  };
}

/** A row with its samples; without a time where the clock could not tell one. */
export function timedWhole(timed: TimedParts, stop: RowTime['stop'], coldBytes: number): WholeRow {
  const { params, target, check, whole, parts, recordNs } = timed;
  const fault = clockFault(whole);
  const weights = STEP_PARTS.reduce((sum, part) => sum + target.bytes[part], 0) - target.kvBytes;
  return {
    ...baseOf(params),
    bytes: { weights, kv: target.kvBytes },
    dispatches: target.dispatches(target.whole),
    cold: weights + target.kvBytes >= coldBytes,
    check,
    ...timeOf(whole, stop),
    parts: eachPart((part): WholePart => ({
      bytes: target.bytes[part],
      dispatches: target.dispatches(target.parts[part]),
      ...timeOf(parts[part], stop),
    })),
    recordNs,
    ...(fault !== undefined && { error: fault }),
    warnings: fault === undefined ? noiseOf(whole.samplesNs, whole.clockNs) : ['below-clock'],
  };
}

function timeOf(run: Sampling, stop: RowTime['stop']): Pick<WholePart, 'time' | 'clockNs'> {
  return {
    time: clockFault(run) === undefined ? rowTime(run, stop) : null,
    ...(run.clockNs !== undefined && { clockNs: run.clockNs }),
  };
}
