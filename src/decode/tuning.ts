// tuning.ts: what was measured on devices: for each class of shapes the variant and slots that were fastest. Plain data.
//
// Whoever measures (`gqa tune`, the page) keeps a Tuning in a file or in the browser's storage, and whoever makes decoders
// hands it in; the library reads and writes nothing itself.
import { checkAdapterInfo } from '../device/adapterInfo.ts';
import { messageOf, ShapeError } from '../device/errors.ts';
import { type DeviceFacts, checkFacts } from '../device/deviceFacts.ts';
import { checkString, describe, isRecord } from '../device/options.ts';
import { canRun, checkVariantForm, type FusedVariant } from '../kernels/fused.ts';
import { checkFormat, type CacheFormat } from '../kernels/lib.ts';
import { checkGqaShape, type GqaShape } from '../kernels/shape.ts';
import { powerOfTwoFrom } from '../kernels/sizes.ts';
import { typesName } from '../numbers/elements.ts';

/** Bumped when older files cannot be read any more: another meaning of sizes or slots. */
export const TUNING_SCHEMA: Tuning['schema'] = 'gqa-tuning/1';

/** The fastest of what was tried for one class of shapes. */
export interface TunedEntry {
  readonly variant: FusedVariant;
  /** Workgroups that a plan aims for. */
  readonly slots: number;
}

/** All that was measured, by device and class of shapes. */
export interface Tuning {
  readonly schema: 'gqa-tuning/1';
  readonly devices: Readonly<Record<string, Readonly<Record<string, TunedEntry>>>>;
}

export const NO_TUNING: Tuning = Object.freeze({ schema: TUNING_SCHEMA, devices: Object.freeze({}) });

/** A device's name in a Tuning: all that its adapter tells of itself. */
export function deviceKey(info: GPUAdapterInfo): string {
  checkAdapterInfo('Tuning: adapterInfo', info);
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize } = info;
  const names = [vendor, architecture, device, description].filter((name) => name !== '');
  return [...names, `subgroups ${subgroupMinSize}-${subgroupMaxSize}`].join(' | ');
}

/**
 * The class a shape falls in, `d128_rows4_heads8_f16`: head dim (`d192-128` where V has another one than K), query rows of a KV head, KV heads of all sequences rounded
 * up to a power of two, element types. Shapes of a class run the same shader and split alike.
 */
export function shapeClass(shape: GqaShape, layout: CacheFormat): string {
  checkGqaShape('Tuning: shape', shape);
  checkFormat('Tuning: cache', layout);
  const { headDim, vHeadDim, rowsPerKvHead, batch, numKvHeads } = shape;
  const dims = vHeadDim === headDim ? `${headDim}` : `${headDim}-${vHeadDim}`;
  const types = typesName(layout, (k, v) => `${k}-${v}`);
  return `d${dims}_rows${rowsPerKvHead}_heads${powerOfTwoFrom(batch * numKvHeads)}_${types}`;
}

/**
 * What was measured for a shape on an adapter, if anything was and a device of these facts can run it: one that was opened
 * with lower limits or fewer features than the one that was measured may not. `tuningFaults` says of each entry why not.
 */
export function tunedFor(
  tuning: Tuning,
  info: GPUAdapterInfo,
  facts: DeviceFacts,
  shape: GqaShape,
  layout: CacheFormat,
): TunedEntry | undefined {
  checkTuning('Tuning.for: tuning', tuning);
  checkFacts('Tuning.for: facts', facts);
  const entry = entryFor(tuning, info, shape, layout);
  return entry && canRun(shape, layout, entry.variant, facts) ? entry : undefined;
}

/** What was measured for a shape on an adapter, whether or not it can be used. */
export function entryFor(
  tuning: Tuning,
  info: GPUAdapterInfo,
  shape: GqaShape,
  layout: CacheFormat,
): TunedEntry | undefined {
  const [device, shapes] = [deviceKey(info), shapeClass(shape, layout)];
  return tuning.devices[device]?.[shapes];
}

/**
 * The tuning with one more entry, or another one in its place.
 * @param device as `deviceKey` names it
 * @param shape its class, as `shapeClass` names it
 */
export function withEntry(tuning: Tuning, device: string, shape: string, entry: TunedEntry): Tuning {
  checkTuning('Tuning.with: tuning', tuning);
  checkString('Tuning.with: device', device);
  checkString('Tuning.with: shape', shape);
  checkEntry('Tuning.with: entry', entry);
  checkVariantForm('Tuning.with: entry.variant', entry.variant);
  const devices = { ...tuning.devices, [device]: { ...tuning.devices[device], [shape]: entry } };
  return { schema: TUNING_SCHEMA, devices };
}

/** The tuning with an entry for an adapter and a shape. */
export function entryWith(
  tuning: Tuning,
  info: GPUAdapterInfo,
  shape: GqaShape,
  layout: CacheFormat,
  entry: TunedEntry,
): Tuning {
  return withEntry(tuning, deviceKey(info), shapeClass(shape, layout), entry);
}

/** Reads a Tuning from the text `json`. Throws ShapeError, with `where` in front, for what is not one of this schema. */
export function parseTuning(json: string, where: string): Tuning {
  checkString('Tuning.parse: where', where);
  if (typeof json !== 'string') throw new ShapeError(`${where}: expected JSON, got ${describe(json)}`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new ShapeError(`${where}: expected JSON, got text that is not JSON: ${messageOf(error)}`);
  }
  checkTuning(where, value);
  return value;
}

/** Throws ShapeError, with `where` in front, unless `value` is a Tuning of this schema. */
export function checkTuning(where: string, value: unknown): asserts value is Tuning {
  if (!isRecord(value) || value.schema !== TUNING_SCHEMA || !isRecord(value.devices)) {
    const found = isRecord(value) ? describe(value.schema) : describe(value);
    throw new ShapeError(`${where}: expected a tuning of schema "${TUNING_SCHEMA}", got ${found}`);
  }
  for (const [device, entries] of Object.entries(value.devices)) {
    if (!isRecord(entries)) throw new ShapeError(`${where}: "${device}": expected entries by shape`);
    for (const [shape, entry] of Object.entries(entries)) {
      checkEntry(`${where}: "${device}", ${shape}`, entry);
    }
  }
}

/** Throws ShapeError for what is no TunedEntry. Sizes are checked where a decoder is made of them. */
export function checkEntry(where: string, entry: unknown): void {
  if (isRecord(entry) && isRecord(entry.variant)) {
    if (Number.isSafeInteger(entry.slots) && (entry.slots as number) > 0) return;
  }
  throw new ShapeError(`${where}: expected a variant and slots, got ${describe(entry)}`);
}
