// timer.ts: how long recorded work takes on the device: timestamp queries, or the wall clock where there are none.
import { readBack, type GqaDevice } from '../src/index.ts';
import { commonStep, median } from './stats.ts';

const QUERY_RESOLVE = 0x0200;
const COPY_SRC = 0x0004;

/** One sample: nanoseconds by the timer in use, and by the wall clock to the end of the queue. */
export interface Sample {
  readonly ns: number;
  readonly wallNs: number;
}

/** Records into a compute pass. */
export type RecordPass = (pass: GPUComputePassEncoder) => void;

/** What a host does around a measurement. */
export interface TimerHooks {
  /** Called around every wait for the device: a host whose waiting costs CPU time can lessen that there. */
  readonly quiet?: () => () => void;
  /** In a browser: waits while the tab is hidden, and says whether it was hidden since the last call. */
  readonly guard?: { wait(): Promise<void>; interrupted(): boolean };
}

/** Samples in a row that must look wrong before timestamps are given up. */
const DOUBTS = 3;

/** Times whole compute passes; timestamps exist at pass borders only. */
export class PassTimer {
  readonly #device: GqaDevice;
  readonly #queries: GPUQuerySet | undefined;
  readonly #resolved: GPUBuffer | undefined;
  readonly #hooks: TimerHooks;
  #useWall: boolean;
  #demoted = false;
  #doubts = 0;
  #hidden = 0;
  /** Wall time of a submission that does nothing; not known before `calibrate`. */
  #overheadNs: number | undefined;
  readonly #ratios: number[] = [];
  readonly #deltas: number[] = [];

  constructor(device: GqaDevice, hooks: TimerHooks = {}) {
    this.#device = device;
    this.#hooks = hooks;
    this.#useWall = !device.device.features.has('timestamp-query');
    if (this.#useWall) return;
    this.#queries = device.device.createQuerySet({ label: 'timer', type: 'timestamp', count: 2 });
    this.#resolved = device.device.createBuffer({
      label: 'timer',
      size: 16,
      usage: QUERY_RESOLVE | COPY_SRC,
    });
  }

  get source(): 'gpu-timestamp' | 'wall' {
    return this.#useWall ? 'wall' : 'gpu-timestamp';
  }

  /** Whether timestamps were given up in favour of the wall clock. */
  get demoted(): boolean {
    return this.#demoted;
  }

  /** Median of wall time, less that of an empty submission, over timer time. 1 when both are the wall clock. */
  get wallRatio(): number {
    return this.#ratios.length > 0 ? median(this.#ratios) : 1;
  }

  /**
   * The clock's step in ns: the common divisor of the differences seen so far, 1 for exact clocks. The wall clock's
   * step is taken as 0.1 ms, the coarsest that browsers give.
   */
  get stepNs(): number {
    return this.#useWall ? 100_000 : Math.max(1, commonStep(this.#deltas));
  }

  /** Times empty passes: the fixed cost of a submission, and differences that show the clock's step. */
  async calibrate(): Promise<void> {
    const walls: number[] = [];
    for (let i = 0; i < 9; i++) walls.push((await this.time(() => {})).wallNs);
    this.#overheadNs = median(walls);
  }

  /** Samples that a hidden tab touched and that were taken again. */
  get hidden(): number {
    return this.#hidden;
  }

  /**
   * Runs `record` in one pass and submission, waits, and returns its time. A sample that a hidden tab touched is
   * taken again.
   */
  async time(record: RecordPass): Promise<Sample> {
    const { guard } = this.#hooks;
    for (;;) {
      await guard?.wait();
      guard?.interrupted();
      const sample = await this.#timeOnce(record);
      if (!guard?.interrupted()) return sample;
      this.#hidden++;
    }
  }

  async #timeOnce(record: RecordPass): Promise<Sample> {
    const { device } = this.#device;
    this.#device.assertUsable();
    const encoder = device.createCommandEncoder({ label: 'timed' });
    const pass = encoder.beginComputePass({ label: 'timed', ...this.#writes() });
    record(pass);
    pass.end();
    if (!this.#useWall) encoder.resolveQuerySet(this.#queries!, 0, 2, this.#resolved!, 0);
    const commands = encoder.finish();
    const start = performance.now();
    device.queue.submit([commands]);
    await this.#done();
    const wallNs = (performance.now() - start) * 1e6;
    this.#device.assertUsable();
    return { ns: this.#useWall ? wallNs : await this.#gpuNs(wallNs), wallNs };
  }

  async #done(): Promise<void> {
    const loud = this.#hooks.quiet?.();
    try {
      await this.#device.device.queue.onSubmittedWorkDone();
    } finally {
      loud?.();
    }
  }

  #writes(): Pick<GPUComputePassDescriptor, 'timestampWrites'> {
    if (this.#useWall) return {};
    return {
      timestampWrites: { querySet: this.#queries!, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
    };
  }

  async #gpuNs(wallNs: number): Promise<number> {
    const [begin, end] = new BigUint64Array(await readBack(this.#device, this.#resolved!));
    const ns = Number(end! - begin!);
    this.#deltas.push(ns);
    if (this.#overheadNs === undefined) return ns;
    const busyNs = wallNs - this.#overheadNs;
    if (ns > 0 && busyNs > 0) this.#ratios.push(busyNs / ns);
    this.#doubts = busyNs > 2 * ns + 2e6 ? this.#doubts + 1 : 0;
    if (this.#doubts < DOUBTS) return ns;
    this.#useWall = true;
    this.#demoted = true;
    return wallNs;
  }

  destroy(): void {
    this.#queries?.destroy();
    this.#resolved?.destroy();
  }
}
