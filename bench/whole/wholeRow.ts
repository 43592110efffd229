// wholeRow.ts: what a variant's samples, or the error that kept it from any, come to in the result.
import type { Variant } from '../model/variants.ts';
import type { StepPart } from '../../src/models/decoder/stepParts.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { wrongText } from '../check/rowCheck.ts';
import { noiseOf, rowTime } from '../run/rowResult.ts';
import { variantName } from '../run/rows.ts';
import { countDispatches } from '../run/countDispatches.ts';
import { clockFault, type Recorder, type Timed } from '../run/sampling.ts';
import type { RowCheck, RowTime } from '../schema/schema.ts';
import type { WholeParams, WholePart, WholeRow } from '../schema/wholeSchema.ts';
import type { WholeLoad, WholeOptions } from './wholeOptions.ts';
import type { PromptTarget } from './promptTarget.ts';
import { eachPart, type WholeTarget } from './wholeTarget.ts';

type Sampling = Timed & { readonly firstNs: number };

/** A step on its way, with its parts, or prompts: what is timed, and the samples. */
export interface TimedRow {
  readonly params: WholeParams;
  readonly target: WholeTarget | PromptTarget;
  readonly check: RowCheck | null;
  readonly whole: Sampling;
  readonly parts?: TimedParts;
  readonly recordNs: number | null;
}

/** The parts of a step. */
export interface TimedParts {
  readonly target: WholeTarget;
  readonly samplings: Readonly<Record<StepPart, Sampling>>;
}

/** What a row measures. */
export function paramsOf(
  { kvHeads, method, spec }: Variant & { readonly spec: ModelSpec },
  { batch, depth, prompt }: WholeLoad,
  { model: { name }, kType, vType, weightType }: WholeOptions,
): WholeParams {
  const { layers } = spec;
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
    ...(prompt !== undefined && { prompt }),
    kType,
    vType,
    ...(weightType !== undefined && { weightType }),
  };
}

function baseOf(params: WholeParams) {
  const { kvHeads, method, batch, depth, prompt } = params;
  const merged = method === undefined ? '' : `_${method}`;
  const tokens = prompt === undefined ? `d${depth}` : `pp${prompt}`;
  return { id: `kv${kvHeads}${merged}_b${batch}_${tokens}`, variant: variantName(params), params };
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
export function timedWhole(timed: TimedRow, stop: RowTime['stop'], coldBytes: number): WholeRow {
  const { params, target, check, whole, parts, recordNs } = timed;
  const fault = clockFault(whole);
  const { weightBytes: weights, kvBytes: kv, core } = target;
  const dispatches = (recorder: Recorder) => countDispatches(core.model.device, recorder);
  return {
    ...baseOf(params),
    bytes: { weights, kv },
    dispatches: dispatches(target.whole),
    cold: parts !== undefined && weights + kv >= coldBytes,
    check,
    ...timeOf(whole, stop),
    ...(parts && {
      parts: eachPart((part): WholePart => ({
        bytes: parts.target.bytes[part],
        dispatches: dispatches(parts.target.parts[part]),
        ...timeOf(parts.samplings[part], stop),
      })),
    }),
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
