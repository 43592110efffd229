// timer.ts: how long recorded work takes on the device: timestamp queries, or the wall clock where there are none.
import { readBack, type GqaDevice } from '../../src/index.ts';
import { commonStep, median } from '../schema/stats.ts';
import { WallClock, type WaitHooks } from './wallClock.ts';

const QUERY_RESOLVE = 0x0200;
const COPY_SRC = 0x0004;

/** One sample: nanoseconds by the timer in use, and by the wall clock to the end of the queue. */
export interface Sample {
  /** By the wall clock less what an empty submission takes. Not above 0 when the timer could tell nothing. */
  readonly ns: number;
  readonly wallNs: number;
  readonly source: TimerSource;
}

export type TimerSource = 'gpu-timestamp' | 'wall';

/** Records into a compute pass. */
export type RecordPass = (pass: GPUComputePassEncoder) => void;

/** What a host does around a measurement. */
export interface TimerHooks extends WaitHooks {
  /** In a browser: waits while the tab is hidden, and says whether it was hidden since the last call. */
  readonly guard?: { wait(): Promise<void>; interrupted(): boolean };
}

/** Samples in a row that must look wrong before timestamps are given up. */
const DOUBTS = 3;

/** Timestamps and wall clock differ by more than a factor of two, and by more than this. */
const DOUBTFUL_NS = 2e6;

/** A sample judges timestamps by the wall clock when it is so many times as long as the wall clock may be off. */
const JUDGED = 10;

/** Times whole compute passes; timestamps exist at pass borders only. */
export class PassTimer {
  readonly #device: GqaDevice;
  readonly #queries: GPUQuerySet | undefined;
  readonly #resolved: GPUBuffer | undefined;
  readonly #guard: TimerHooks['guard'];
  readonly #wall: WallClock;
  #useWall: boolean;
  #demoted = false;
  #doubts = 0;
  #hidden = 0;
  readonly #ratios: number[] = [];
  readonly #deltas: number[] = [];

  constructor(device: GqaDevice, hooks: TimerHooks = {}) {
    this.#device = device;
    this.#guard = hooks.guard;
    this.#wall = new WallClock(device.gpu.queue, hooks);
    this.#useWall = !device.gpu.features.has('timestamp-query');
    if (this.#useWall) return;
    this.#queries = device.gpu.createQuerySet({ label: 'timer', type: 'timestamp', count: 2 });
    this.#resolved = device.gpu.createBuffer({
      label: 'timer',
      size: 16,
      usage: QUERY_RESOLVE | COPY_SRC,
    });
  }

  get source(): TimerSource {
    return this.#useWall ? 'wall' : 'gpu-timestamp';
  }

  /** Whether timestamps were given up in favour of the wall clock. */
  get demoted(): boolean {
    return this.#demoted;
  }

  /**
   * Median of wall time, less that of an empty submission, over timestamps' time. Null when there is nothing to compare:
   * without timestamps, or with samples too short for this wall clock to judge.
   */
  get wallRatio(): number | null {
    return this.#useWall || this.#ratios.length === 0 ? null : median(this.#ratios);
  }

  /** The clock's step in ns: of timestamps the common divisor of the differences seen so far; 1 for exact clocks. */
  get stepNs(): number {
    return this.#useWall ? this.#wall.stepNs : Math.max(1, commonStep(this.#deltas));
  }

  /** How far off the wall clock may be, in ns: its step, or how late the host may learn that work is done. */
  get wallLateNs(): number {
    return this.#wall.lateNs;
  }

  /** How far off a time of this timer may be, in ns. */
  get resolutionNs(): number {
    return this.#useWall ? this.wallLateNs : this.stepNs;
  }

  /** Measures the wall clock, and with the same empty passes the step of the timestamps. */
  async calibrate(): Promise<void> {
    await this.#wall.calibrate(async () => (await this.time(() => {})).wallNs);
  }

  /** Samples that a hidden tab touched and that were taken again. */
  get hidden(): number {
    return this.#hidden;
  }

  /**
   * Runs `record` in one pass and submission, waits, and returns its time; of several each has a pass and submission of its own, and the time
   * is that of all. A sample that a hidden tab touched is taken again, and judges no clock.
   */
  async time(record: RecordPass | readonly RecordPass[]): Promise<Sample> {
    const passes = typeof record === 'function' ? [record] : record;
    const guard = this.#guard;
    for (;;) {
      await guard?.wait();
      guard?.interrupted();
      const { wallNs, gpuNs } = await this.#timeOnce(passes);
      if (guard?.interrupted()) {
        this.#hidden++;
        continue;
      }
      const ns = gpuNs === undefined ? this.#busyNs(wallNs) : this.#judged(gpuNs, wallNs);
      return { ns, wallNs, source: this.source };
    }
  }

  /** Nanoseconds of passes by the wall clock, and by timestamps where they are in use. */
  async #timeOnce(passes: readonly RecordPass[]): Promise<{ wallNs: number; gpuNs?: number }> {
    const { queue } = this.#device.gpu;
    this.#device.assertUsable();
    const commands = passes.map((record, i) =>
      this.#recorded(record, { isFirst: i === 0, isLast: i === passes.length - 1 }),
    );
    const wallNs = await this.#wall.time(() => {
      for (const each of commands) queue.submit([each]);
    });
    this.#device.assertUsable();
    return this.#useWall ? { wallNs } : { wallNs, gpuNs: await this.#gpuNs() };
  }

  #recorded(record: RecordPass, place: { isFirst: boolean; isLast: boolean }): GPUCommandBuffer {
    const encoder = this.#device.gpu.createCommandEncoder({ label: 'timed' });
    const pass = encoder.beginComputePass({ label: 'timed', ...this.#writes(place) });
    record(pass);
    pass.end();
    if (!this.#useWall && place.isLast) encoder.resolveQuerySet(this.#queries!, 0, 2, this.#resolved!, 0);
    return encoder.finish({ label: 'timed' });
  }

  /** Wall time less that of an empty submission. */
  #busyNs(wallNs: number): number {
    return wallNs - (this.#wall.overheadNs ?? 0);
  }

  /** A time when the first pass begins, and one when the last ends. */
  #writes({
    isFirst,
    isLast,
  }: {
    isFirst: boolean;
    isLast: boolean;
  }): Pick<GPUComputePassDescriptor, 'timestampWrites'> {
    if (this.#useWall || !(isFirst || isLast)) return {};
    return {
      timestampWrites: {
        querySet: this.#queries!,
        ...(isFirst && { beginningOfPassWriteIndex: 0 }),
        ...(isLast && { endOfPassWriteIndex: 1 }),
      },
    };
  }

  async #gpuNs(): Promise<number> {
    const read = this.#wall.hurried(readBack(this.#device, this.#resolved!));
    const [begin, end] = new BigUint64Array(await read);
    return Number(end! - begin!);
  }

  /** Timestamps' time, or the wall clock's when timestamps have looked wrong by it several times in a row. */
  #judged(ns: number, wallNs: number): number {
    this.#deltas.push(ns);
    if (this.#wall.overheadNs === undefined) return ns;
    const busyNs = this.#busyNs(wallNs);
    if (ns > 0 && wallNs >= JUDGED * this.wallLateNs) this.#ratios.push(busyNs / ns);
    const slack = Math.max(DOUBTFUL_NS, 2 * this.wallLateNs);
    const doubtful = ns < 0 || busyNs > 2 * ns + slack || ns > 2 * busyNs + slack;
    this.#doubts = doubtful ? this.#doubts + 1 : 0;
    if (this.#doubts < DOUBTS) return ns;
    this.#useWall = true;
    this.#demoted = true;
    return busyNs;
  }

  destroy(): void {
    this.#queries?.destroy();
    this.#resolved?.destroy();
  }
}
