// loops.ts: finds the main loop in a kernel's assembly: the one that loads the cache.

/** What a line of assembly is to the search: a label, or an instruction, which may jump. */
export interface Line {
  readonly label?: string;
  /** The label that it jumps to. */
  readonly target?: string;
  /** What an invocation loads from storage buffers by it. */
  readonly loadBytes: number;
}

/** What a turn of a loop costs an invocation, as the text stands: a branch is not taken, a loop within runs once. */
export interface LoopCounts {
  readonly instructions: number;
  /** Loaded from storage buffers. */
  readonly loadBytes: number;
  /** Most bytes that were asked for and not yet waited for. */
  readonly inFlight: number;
  /** Times that the last load in flight is waited for. */
  readonly drains: number;
  /** Loads and stores of spilled registers. */
  readonly scratch: number;
  /** Exchanges through workgroup memory (AMD). */
  readonly ldsShuffles?: number;
}

interface Loop {
  /** Places of its first and last line. */
  readonly from: number;
  readonly to: number;
}

/**
 * The lines of the loop that loads most bytes itself, outside the loops within it: others may be longer, such as the merge
 * behind it. Undefined where no loop loads.
 */
export function mainLoop<T extends Line>(lines: readonly T[]): readonly T[] | undefined {
  const loops = loopsOf(lines);
  const loads = loops.map((loop) => ownBytes(lines, loop, loops));
  const most = Math.max(0, ...loads);
  if (most === 0) return undefined;
  const { from, to } = loops[loads.indexOf(most)]!;
  return lines.slice(from, to + 1);
}

/** From each label to the last jump back to it. */
function loopsOf(lines: readonly Line[]): Loop[] {
  const labels = new Map(
    lines.flatMap(({ label }, at) => (label === undefined ? [] : [[label, at] as const])),
  );
  const ends = new Map<number, number>();
  for (const [at, { target }] of lines.entries()) {
    const from = target === undefined ? undefined : labels.get(target);
    if (from !== undefined && from < at) ends.set(from, at);
  }
  return [...ends].map(([from, to]) => ({ from, to }));
}

function ownBytes(lines: readonly Line[], loop: Loop, loops: readonly Loop[]): number {
  const within = loops.filter((other) => other !== loop && other.from >= loop.from && other.to <= loop.to);
  let bytes = 0;
  for (let at = loop.from; at <= loop.to; at++) {
    if (!within.some(({ from, to }) => from <= at && at <= to)) bytes += lines[at]!.loadBytes;
  }
  return bytes;
}

interface Load {
  readonly bytes: number;
  readonly token: string;
}

/** Follows loads on their way through a loop, oldest first. */
export class Flight {
  #loads: Load[] = [];
  inFlight = 0;
  drains = 0;

  ask(bytes: number, token = ''): void {
    this.#loads.push({ bytes, token });
    this.inFlight = Math.max(
      this.inFlight,
      this.#loads.reduce((sum, load) => sum + load.bytes, 0),
    );
  }

  /** Waits until at most `most` are left. */
  waitDownTo(most: number): void {
    this.#keep(this.#loads.slice(Math.max(0, this.#loads.length - most)));
  }

  /** Waits for the load of a token, if one is on its way. */
  waitFor(token: string): void {
    this.#keep(this.#loads.filter((load) => load.token !== token));
  }

  #keep(left: Load[]): void {
    if (this.#loads.length > 0 && left.length === 0) this.drains++;
    this.#loads = left;
  }
}
