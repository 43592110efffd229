// tune.ts: finds the variant and the slots that are fastest for a class of shapes on a device, by timing them.
//
// A search along one size at a time, from the best start: every neighbour in a size is checked against float64, then timed
// against the best so far, sample by sample in turn, and takes its place if it is clearly faster on the depths together. At
// the end the best is timed against the start once more: the fastest of many noisy times is too often a lucky one.
import {
  GqaError,
  type DeviceFacts,
  type FusedVariant,
  type GqaDevice,
  type TunedEntry,
} from '../../src/index.ts';
import { planDecode } from '../../src/decode/plan.ts';
import { planContext } from '../../src/decode/planContext.ts';
import { probedFacts } from '../../src/decode/probe.ts';
import { deviceKey, shapeClass } from '../../src/decode/tuning.ts';
import { variantName } from '../../src/kernels/fused.ts';
import { neighbours, startVariants } from './candidates.ts';
import { createWorkload, type Workload, type WorkloadParams } from '../run/workload.ts';
import { comparison, Contestant, type Comparison } from './contestant.ts';
import { coldBytesOf, rotatedBytesOf } from '../run/coldCaches.ts';
import { shapeOf } from '../../src/reference/problem.ts';
import { PassTimer, type TimerHooks } from '../run/timer.ts';

/** What to tune for. */
export interface TuneOptions extends TimerHooks {
  /** One class of shapes at several depths. */
  readonly workloads: readonly WorkloadParams[];
  readonly seed: number;
  /** Size of the last-level cache, where the host knows it. */
  readonly lastLevelCacheBytes?: number;
  readonly signal?: AbortSignal;
  /**
   * Called before each candidate with its name, and before the last comparison. `share` is how much of the search is done, from
   * 0 to 1, by the candidates that are left around the best so far.
   */
  readonly onTry?: (name: string, share: number) => void;
  /** Called after each candidate: a host can have its collector take what was bound for it. */
  readonly collect?: () => Promise<void>;
}

/** One candidate: how its time compares with the start's, at each depth and together. */
export interface Trial {
  readonly variant: FusedVariant;
  readonly slots: number;
  readonly name: string;
  /** Time over that of the start variant: the geometric mean over the depths. Absent when it gave no right result. */
  readonly ratio?: number;
  readonly error?: string;
  /** Whether it took the place of the best so far. */
  readonly taken: boolean;
}

/** What a search found. */
export interface Tuned {
  readonly device: string;
  readonly shape: string;
  readonly entry: TunedEntry;
  readonly trials: readonly Trial[];
  /** Time of the entry over that of what the device takes unmeasured, timed against each other at the end. */
  readonly ratio: number;
}

/** A candidate has to be this much faster to be taken: less is noise, and a simpler default is worth more. */
const CLEARLY = 0.97;

/** Rounds of samples of two contestants in turn: the fewest, and the most where the fewest do not decide. */
const ROUNDS = { least: 7, most: 21 };

/** Fewer copies of a cache than a benchmark has: dozens of kernels are bound in a search (`collect`). */
const MOST_COPIES = 256;

const SLOT_FACTORS = [0.25, 0.5, 2, 4];

/** Searches, yields every trial, and returns the best. Throws GqaError when not even the start runs. */
export async function* tune(device: GqaDevice, options: TuneOptions): AsyncGenerator<Trial, Tuned> {
  const search = await Search.create(device, options);
  try {
    for await (const trial of search.run()) yield trial;
    return search.result();
  } finally {
    search.destroy();
  }
}

type Entry = TunedEntry;

class Search {
  readonly #device: GqaDevice;
  readonly #facts: DeviceFacts;
  readonly #options: TuneOptions;
  readonly #timer: PassTimer;
  readonly #workloads: Workload[] = [];
  readonly #trials: Trial[] = [];
  readonly #tried = new Set<string>();
  #start!: Contestant;
  #best!: Contestant;
  /** Of the best against the start, as the trials have it. */
  #ratio = 1;

  private constructor(device: GqaDevice, facts: DeviceFacts, options: TuneOptions) {
    this.#device = device;
    this.#facts = facts;
    this.#options = options;
    this.#timer = new PassTimer(device, options);
  }

  static async create(device: GqaDevice, options: TuneOptions): Promise<Search> {
    const { facts } = await probedFacts(device);
    const search = new Search(device, facts, options);
    try {
      await search.#timer.calibrate();
      const { software } = device.facts;
      const coldBytes = coldBytesOf(software, options.lastLevelCacheBytes);
      const rotation = { rotatedBytes: rotatedBytesOf(software, coldBytes), mostCopies: MOST_COPIES };
      for (const params of options.workloads) {
        search.#workloads.push(await createWorkload(device, params, options.seed, rotation));
      }
      return search;
    } catch (error) {
      search.destroy();
      throw error;
    }
  }

  async *run(): AsyncGenerator<Trial> {
    const { shape, layout } = this.#class();
    const facts = this.#facts;
    const [first, ...others] = startVariants(shape, layout, facts);
    const start = this.#untuned(first!);
    this.#options.onTry?.(nameOf(start), 0);
    this.#start = await Contestant.create(this.#device, this.#timer, this.#workloads, start);
    this.#best = this.#start;
    yield this.#note({ ...this.#best.entry, ratio: 1, taken: true });
    const around = () => neighbours(this.#best.entry.variant, shape, layout, facts);
    const after = (size: number) => around().slice(size).flat().length + SLOT_FACTORS.length;
    yield* this.#tryAll(
      others.map((variant) => this.#untuned(variant)),
      after(0),
    );
    const sizes = around().length;
    for (let size = 0; size < sizes; size++) {
      const entries = around()[size]!.map((variant) => this.#untuned(variant));
      yield* this.#tryAll(entries, after(size + 1));
    }
    yield* this.#tryAll(this.#otherSlots(), 0);
    await this.#confirm();
  }

  /** The last comparison is one more to do, after `left` candidates. */
  #say(name: string, left: number): void {
    const done = this.#trials.length;
    this.#options.onTry?.(name, done / (done + left + 1));
  }

  /** Times the best against the start once more, and goes back to the start where it is not faster after all. */
  async #confirm(): Promise<void> {
    if (this.#best === this.#start) return;
    this.#say(`${nameOf(this.#best.entry)} once more`, 0);
    const { ratio, high } = comparison(await this.#best.against(this.#start, ROUNDS.most));
    const holds = high < 1;
    this.#ratio = holds ? ratio : 1;
    if (!holds) this.#take(this.#start);
  }

  #take(contestant: Contestant): void {
    if (this.#best !== this.#start) this.#best.destroy();
    this.#best = contestant;
  }

  /** A variant with the slots that it would have unmeasured. */
  #untuned(variant: FusedVariant): Entry {
    const { shape, layout } = this.#class();
    return { variant, slots: planContext(shape, layout, this.#facts, { variant }).slots };
  }

  /** The best variant with fewer and more slots, as far as they split any of the workloads differently. */
  #otherSlots(): Entry[] {
    const { variant, slots } = this.#best.entry;
    const seen = new Set([this.#splitLens(this.#best.entry)]);
    return SLOT_FACTORS.map((factor) => ({
      variant,
      slots: Math.max(1, Math.round(slots * factor)),
    })).filter((entry) => seen.size < seen.add(this.#splitLens(entry)).size);
  }

  #splitLens(tuned: Entry): string {
    return this.#workloads
      .map(({ problem, cache: { layout } }) => {
        const context = planContext(shapeOf(problem), layout, this.#facts, { tuned });
        return planDecode(context, problem.kvLens).splitLen;
      })
      .join();
  }

  result(): Tuned {
    const { shape, layout } = this.#class();
    return {
      device: deviceKey(this.#device.gpu.adapterInfo),
      shape: shapeClass(shape, layout),
      entry: this.#best.entry,
      trials: this.#trials,
      ratio: this.#ratio,
    };
  }

  #class() {
    const { problem, cache } = this.#workloads[0]!;
    return { shape: shapeOf(problem), layout: cache.layout };
  }

  /** Tries candidates, before so many others. */
  async *#tryAll(entries: readonly Entry[], later: number): AsyncGenerator<Trial> {
    for (const [index, entry] of entries.entries()) {
      this.#options.signal?.throwIfAborted();
      const key = JSON.stringify(entry);
      if (this.#tried.has(key)) continue;
      this.#tried.add(key);
      this.#say(nameOf(entry), entries.length - index + later);
      yield this.#note(await this.#try(entry));
      await this.#options.collect?.();
    }
  }

  async #try(entry: Entry): Promise<Omit<Trial, 'name'>> {
    let contestant: Contestant | undefined;
    try {
      contestant = await Contestant.create(this.#device, this.#timer, this.#workloads, entry);
      const against = await this.#decide(contestant);
      const taken = against.high < CLEARLY;
      const ratio = this.#ratio * against.ratio;
      if (taken) {
        this.#take(contestant);
        this.#ratio = ratio;
      } else {
        contestant.destroy();
      }
      return { ...entry, ratio, taken };
    } catch (error) {
      contestant?.destroy();
      if (!(error instanceof GqaError) || error.code === 'device-lost') throw error;
      return { ...entry, error: error.message, taken: false };
    }
  }

  /** Compares a contestant with the best so far, in as many rounds as it takes to say whether it is clearly faster. */
  async #decide(contestant: Contestant): Promise<Comparison> {
    const logs = await contestant.against(this.#best, ROUNDS.least);
    for (;;) {
      const result = comparison(logs);
      const open = result.low <= CLEARLY && result.high >= CLEARLY;
      if (!open || logs.length >= ROUNDS.most) return result;
      logs.push(...(await contestant.against(this.#best, 2)));
    }
  }

  #note(trial: Omit<Trial, 'name'>): Trial {
    this.#tried.add(JSON.stringify({ variant: trial.variant, slots: trial.slots }));
    const named = { ...trial, name: nameOf(trial) };
    this.#trials.push(named);
    return named;
  }

  destroy(): void {
    if (this.#best !== this.#start) this.#best?.destroy();
    this.#start?.destroy();
    for (const workload of this.#workloads) workload.destroy();
    this.#timer.destroy();
  }
}

function nameOf({ variant, slots }: Entry): string {
  return `${variantName(variant)} slots${slots}`;
}

/** The workloads of a class of shapes at several depths. */
export function workloadsAt(
  shape: Omit<WorkloadParams, 'depth' | 'capacity' | 'cache'>,
  depths: readonly number[],
): WorkloadParams[] {
  return depths.map((depth) => ({ ...shape, depth, capacity: depth, cache: 'cold' }));
}
