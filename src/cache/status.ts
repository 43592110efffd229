// status.ts: what the append kernel counts on the device, per layer, and what of it was not told yet.
import { copyOut, createStorage, type BufferRange } from '../device/buffers.ts';
import { fateOf } from '../device/encoders.ts';
import { GpuError, NotExecutedError, NotFiniteError, ShapeError, type GqaError } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import type { RecordTarget } from '../device/record.ts';
import { APPEND_STATUS_WORDS, appendStatus, type AppendStatus } from '../kernels/appendKv.ts';
import type { LostElements } from '../numbers/elements.ts';
import { Unsubmitted } from './unsubmitted.ts';

/** Dispatches of appends to a layer and forks in it, or of all layers: recorded by the host, and executed by the device. */
export interface AppendCounts {
  readonly recorded: number;
  readonly executed: number;
}

/** What appends have stored in a layer that its types cannot hold. */
export interface LayerReport {
  readonly k: LostElements;
  readonly v: LostElements;
  readonly appends: AppendCounts;
}

/** The same of a whole cache, and of each layer. Loaded bytes are not looked at: `encodeRows` counts where they are made. */
export interface CacheReport extends LayerReport {
  readonly layers: readonly LayerReport[];
}

/** Layers lie so far apart that each can be bound: WebGPU's largest alignment. */
const LAYER_BYTES = 256;

/** Appends recorded into a layer: what the device should have executed. */
type Recorded = (layer: number) => number;

/** Counters of all layers in a buffer, and copies of them from when a layer's appends were last given up. */
export class CacheStatus {
  readonly #device: GqaDevice;
  readonly #recorded: Recorded;
  readonly #buffer: GPUBuffer;
  readonly #atTruncate: GPUBuffer;
  readonly #layers: Layer[];
  #destroyed = false;
  #tellsValues = true;

  constructor(device: GqaDevice, layers: number, recorded: Recorded) {
    this.#device = device;
    this.#recorded = recorded;
    this.#buffer = createStorage(device, 'append status', layers * LAYER_BYTES);
    this.#atTruncate = createStorage(device, 'append status at truncate', layers * LAYER_BYTES);
    this.#layers = Array.from({ length: layers }, () => ({
      seen: ZERO,
      givenUp: 0,
      pending: undefined,
      unsubmitted: new Unsubmitted(),
    }));
  }

  /** The kernel's `status` binding for a layer. */
  range(layer: number): BufferRange {
    return { buffer: this.#buffer, offset: layer * LAYER_BYTES, size: APPEND_STATUS_WORDS * 4 };
  }

  /** Notes the dispatches of an append that was recorded into the target. */
  noteAppend(layer: number, target: RecordTarget, dispatches = 1): void {
    this.#layers[layer]!.unsubmitted.note(fateOf(target), dispatches);
  }

  /** Throws ShapeError while appends or forks are recorded that are not submitted, as far as anybody knows. */
  checkSubmitted(where: string): void {
    for (const [layer, { unsubmitted }] of this.#layers.entries()) {
      const count = unsubmitted.appends();
      if (count === 0) continue;
      throw new ShapeError(
        `${where}: expected all appends and forks to be submitted, got ${count} of layer ${layer} that are only recorded`,
      );
    }
  }

  /** Notes work recorded into the target that reads the layer. */
  noteRead(layer: number, target: RecordTarget): void {
    this.#layers[layer]!.unsubmitted.note(fateOf(target), 0);
  }

  /** Appends that are recorded but not executed now are not expected any more: tokens were forgotten or replaced. */
  giveUp(layers: readonly number[]): void {
    for (const layer of layers) this.#layers[layer]!.unsubmitted.clear();
    const waiting = layers.filter((layer) => this.#recorded(layer) !== this.#layers[layer]!.seen.executed);
    if (waiting.length === 0) return;
    const { gpu } = this.#device;
    const encoder = gpu.createCommandEncoder({ label: 'append status at truncate' });
    for (const layer of waiting) {
      const { offset, size } = this.range(layer);
      encoder.copyBufferToBuffer(this.#buffer, offset, this.#atTruncate, offset, size);
      this.#layers[layer]!.pending = this.#recorded(layer);
    }
    gpu.queue.submit([encoder.finish()]);
  }

  /** Reads what was counted so far. */
  async report(): Promise<CacheReport> {
    const recorded = this.#layers.map((_, layer) => this.#recorded(layer));
    const counted = await this.#read(this.#buffer);
    const layers = counted.map(({ executed, k, v }, layer) => ({
      k,
      v,
      appends: { recorded: recorded[layer]!, executed },
    }));
    return {
      k: sumOf(layers, ({ k }) => k),
      v: sumOf(layers, ({ v }) => v),
      appends: sumOf(layers, ({ appends }) => appends),
      layers,
    };
  }

  /** Says nothing of values from now on: whoever appends them looks at what comes of them. */
  leaveValues(): void {
    this.#tellsValues = false;
  }

  /** What went wrong since the last call: an error of each kind at most, none twice. `cache` says which cache. */
  async check(cache: string): Promise<GqaError[]> {
    return this.#destroyed ? [] : this.#told(await this.#findings(cache));
  }

  #told(errors: readonly GqaError[]): GqaError[] {
    return errors.filter((error) => this.#tellsValues || !(error instanceof NotFiniteError));
  }

  async #findings(cache: string): Promise<GqaError[]> {
    const recorded = this.#layers.map((_, layer) => this.#recorded(layer));
    if (this.#layers.every(({ seen }, layer) => recorded[layer] === seen.executed)) return [];
    // Both copies are submitted before anything is awaited: what is recorded meanwhile belongs to the next check.
    const pending = this.#layers.map((layer) => layer.pending);
    const early = this.#layers.map(({ unsubmitted }) => unsubmitted.appends());
    const reads = [this.#read(this.#buffer), this.#read(this.#atTruncate)] as const;
    const [counted, atTruncate] = await Promise.all(reads);
    const found = counted.map((now, layer) => {
      const state = this.#layers[layer]!;
      const since = pending[layer];
      if (since !== undefined) state.givenUp = since - atTruncate[layer]!.executed;
      if (state.pending === since) state.pending = undefined;
      return news(state, now, recorded[layer]! - early[layer]!);
    });
    return errorsOf(cache, found);
  }

  async #read(buffer: GPUBuffer): Promise<AppendStatus[]> {
    const range = { buffer, offset: 0, size: buffer.size };
    const bytes = await copyOut(this.#device, `read-back of ${buffer.label}`, range);
    return this.#layers.map((_, layer) =>
      appendStatus(new Uint32Array(bytes, layer * LAYER_BYTES, APPEND_STATUS_WORDS)),
    );
  }

  /**
   * Frees the counters, read a last time. Resolves with what of the values was not told yet; nobody misses appends that a
   * cache that is gone did not get.
   */
  async destroy(cache: string): Promise<GqaError[]> {
    this.#destroyed = true;
    try {
      return this.#told(await this.#findings(cache)).filter((error) => error instanceof NotFiniteError);
    } catch (error) {
      return error instanceof GpuError ? [error] : []; // of a device that is gone there is nothing to read
    } finally {
      this.#buffer.destroy();
      this.#atTruncate.destroy();
    }
  }
}

const NOTHING: LostElements = { notFinite: 0, saturated: 0, vanished: 0 };
const ZERO: AppendStatus = { executed: 0, k: NOTHING, v: NOTHING };

/** What is known of a layer on the host. */
interface Layer {
  /** Counters as of the last check. */
  seen: AppendStatus;
  /** Appends that were recorded and not executed, and that nobody waits for: told, or forgotten by truncate. */
  givenUp: number;
  /** Appends recorded when they were last given up, until the copy of the counters from then is read. */
  pending: number | undefined;
  readonly unsubmitted: Unsubmitted;
}

/** What a check finds in a layer: elements and appends that were not told yet. */
interface News {
  readonly k: number;
  readonly v: number;
  readonly missing: number;
}

/** Compares a layer's counters with those of the last check, and keeps them. `due` is how many appends should be executed. */
function news(state: Layer, now: AppendStatus, due: number): News {
  const lacking = due - now.executed;
  const found = {
    k: now.k.notFinite - state.seen.k.notFinite,
    v: now.v.notFinite - state.seen.v.notFinite,
    missing: Math.max(0, lacking - state.givenUp),
  };
  state.seen = now;
  state.givenUp = lacking;
  return found;
}

/** The sum of records of numbers, field by field. */
function sumOf<T extends { readonly [field in keyof T]: number }>(
  layers: readonly LayerReport[],
  of: (report: LayerReport) => T,
): T {
  const sum = { ...of(layers[0]!) } as { -readonly [field in keyof T]: number };
  for (const layer of layers.slice(1)) {
    for (const field of Object.keys(sum) as (keyof T)[]) sum[field] += of(layer)[field];
  }
  return sum as T;
}

function errorsOf(cache: string, found: readonly News[]): GqaError[] {
  const wrong = found.flatMap(({ k, v }, layer) =>
    k + v > 0 ? [`layer ${layer}: ${k} of K, ${v} of V`] : [],
  );
  const missing = found.flatMap(({ missing: count }, layer) =>
    count > 0 ? [`layer ${layer}: ${count}`] : [],
  );
  const values = `${cache}: values that are not finite (NaN or infinity) were appended: ${some(wrong)}`;
  const appends =
    `${cache}: appends or forks were recorded and counted, but not executed: ${some(missing)}; ` +
    'their submit was refused, or work recorded later was submitted first; ' +
    'cache.truncate() to the lengths known to be good puts that right';
  return [
    ...(wrong.length > 0 ? [new NotFiniteError(values)] : []),
    ...(missing.length > 0 ? [new NotExecutedError(appends)] : []),
  ];
}

/** The first few of a list. */
function some(items: readonly string[]): string {
  const most = 4;
  const rest = items.length > most ? `; and ${items.length - most} more layers` : '';
  return items.slice(0, most).join('; ') + rest;
}
