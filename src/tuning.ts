// tuning.ts: the entry `gqa-webgpu/tuning`: what was measured on devices, read and looked up as one object. Browser-safe.
import {
  entryWith,
  NO_TUNING,
  parseTuning,
  tunedFor,
  type TunedEntry,
  type Tuning as Measured,
} from './decode/tuning.ts';
import { tuningFaults } from './decode/tuningFaults.ts';
import { checkDevice, type GqaDevice } from './device/gqaDevice.ts';
import type { CacheFormat } from './kernels/lib.ts';
import type { GqaShape } from './kernels/shape.ts';

/** What was measured, by device and class of shapes: plain data, to be kept as JSON. `createDecoder` takes it as `tuning`. */
export type Tuning = Measured;

/** All that is done with a Tuning. None of it changes one. */
export const Tuning: {
  /** Nothing was measured. */
  readonly none: Tuning;

  /** Reads a Tuning from the text `json`. Throws ShapeError, with `where` in front, for what is not one of this schema. */
  readonly parse: (json: string, where: string) => Tuning;

  /**
   * What was measured on the device for a shape and cache, if anything was and the device, as it was opened, can run it.
   * `auto` takes just this. `shape`: as `checkShape` and `Decoder.shape` give it.
   */
  readonly for: (
    tuning: Tuning,
    device: GqaDevice,
    shape: GqaShape,
    cache: CacheFormat,
  ) => TunedEntry | undefined;

  /** The tuning with `entry` for the device and all shapes of the class of `shape`, in place of one that is there. */
  readonly with: (
    tuning: Tuning,
    device: GqaDevice,
    shape: GqaShape,
    cache: CacheFormat,
    entry: TunedEntry,
  ) => Tuning;

  /**
   * What of a tuning cannot be used on the device, a sentence each: entries that it cannot run, entries of any device that
   * are for no class of shapes or no kernel, and all where every entry is for another device.
   */
  readonly faults: (tuning: Tuning, device: GqaDevice) => string[];
} = Object.freeze({
  none: NO_TUNING,
  parse: parseTuning,
  for(tuning: Tuning, device: GqaDevice, shape: GqaShape, cache: CacheFormat) {
    checkDevice('Tuning.for: device', device);
    return tunedFor(tuning, device.gpu.adapterInfo, device.facts, shape, cache);
  },
  with(tuning: Tuning, device: GqaDevice, shape: GqaShape, cache: CacheFormat, entry: TunedEntry) {
    checkDevice('Tuning.with: device', device);
    return entryWith(tuning, device.gpu.adapterInfo, shape, cache, entry);
  },
  faults(tuning: Tuning, device: GqaDevice) {
    checkDevice('Tuning.faults: device', device);
    return tuningFaults(tuning, device.gpu.adapterInfo, device.facts);
  },
});
