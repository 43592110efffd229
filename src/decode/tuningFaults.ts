// tuningFaults.ts: entries of a tuning that a device cannot use, each with why. A wrong entry is said, not passed over.
import { GqaError, ShapeError } from '../device/errors.ts';
import { type DeviceFacts, checkFacts } from '../device/deviceFacts.ts';
import { KV_TYPES, type KvType } from '../numbers/elements.ts';
import { checkVariant, checkVariantForm } from '../kernels/fused.ts';
import type { CacheFormat } from '../kernels/lib.ts';
import { checkShape, type GqaShape } from '../kernels/shape.ts';
import { checkEntry, checkTuning, deviceKey, type TunedEntry, type Tuning } from './tuning.ts';

/**
 * What of a tuning cannot be used on a device: entries for it that it cannot run, entries for any device that are for no
 * class of shapes or no kernel, and all of it where every entry is for another device. Empty where all is well.
 */
export function tuningFaults(tuning: Tuning, info: GPUAdapterInfo, facts: DeviceFacts): string[] {
  checkTuning('Tuning.faults: tuning', tuning);
  checkFacts('Tuning.faults: facts', facts);
  const own = deviceKey(info);
  const faults = Object.entries(tuning.devices).flatMap(([device, entries]) =>
    Object.entries(entries).flatMap(([shape, entry]) => {
      const fault = entryFault(shape, entry, device === own ? facts : undefined);
      return fault === undefined ? [] : [`entry ${shape} of "${device}" is not used: ${fault.message}`];
    }),
  );
  const others = Object.keys(tuning.devices).filter((device) => device !== own);
  if (tuning.devices[own] || others.length === 0) return faults;
  return [...faults, `no entry is for this device, "${own}"; there are some for "${others.join('", "')}"`];
}

/**
 * Throws ShapeError for an entry of the device that no device could use: its class of shapes or its variant is none. One that
 * needs more than the device has, as it was opened, is let pass.
 */
export function checkOwnEntries(
  where: string,
  tuning: Tuning,
  info: GPUAdapterInfo,
  facts: DeviceFacts,
): void {
  const own = deviceKey(info);
  for (const [shape, entry] of Object.entries(tuning.devices[own] ?? {})) {
    const fault = entryFault(shape, entry, facts);
    if (fault instanceof ShapeError)
      throw new ShapeError(`${where}: entry ${shape} of "${own}": ${fault.message}`);
  }
}

/** Why an entry can never be used; of another device's entries only what holds on every device. */
function entryFault(name: string, entry: TunedEntry, facts: DeviceFacts | undefined): GqaError | undefined {
  try {
    checkEntry('entry', entry);
    const { variant } = entry;
    const { shape, cache } = classNamed(name);
    checkVariantForm('variant', variant);
    if (facts) checkVariant(shape, cache, variant, facts);
    return undefined;
  } catch (error) {
    if (error instanceof GqaError) return error;
    throw error;
  }
}

const CLASS = /^d(\d+)(?:-(\d+))?_rows(\d+)_heads\d+_(\w+?)(?:-(\w+))?$/;

/** A shape and cache of a class, by its name as `shapeClass` gives it. Throws ShapeError. */
function classNamed(name: string): { shape: GqaShape; cache: CacheFormat } {
  const [, headDim, vHeadDim = headDim, rows, kType, vType = kType] = CLASS.exec(name) ?? [];
  if (!isKvType(kType) || !isKvType(vType)) {
    throw new ShapeError(`expected a class of shapes such as d128_rows4_heads8_f16, got ${name}`);
  }
  const dims = { headDim: Number(headDim), vHeadDim: Number(vHeadDim) };
  const shape = checkShape({ numQHeads: Number(rows), numKvHeads: 1, ...dims });
  return { shape, cache: { kType, vType } };
}

function isKvType(text: string | undefined): text is KvType {
  return (KV_TYPES as readonly (string | undefined)[]).includes(text);
}
