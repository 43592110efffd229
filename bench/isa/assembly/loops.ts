// loops.ts: finds the loops in a kernel's assembly that load the cache.

/** What a line of assembly is to the search: a label, or an instruction, which may jump. */
export interface Line {
  readonly label?: string;
  /** The label that it jumps to. */
  readonly target?: string;
  /** What an invocation loads from storage buffers by it. */
  readonly loadBytes: number;
  /** Whether it multiplies floats. */
  readonly multiplies: boolean;
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

/**
 * The lines of each loop that loads and multiplies, the innermost ones: the passes over the cache of a kernel that takes
 * keys and values in turn. A loop that only copies, such as one of the query, is none.
 */
export function passesOf<T extends Line>(lines: readonly T[]): (readonly T[])[] {
  const loops = loopsOf(lines);
  const passes = loops.filter((loop) => {
    const multiplies = lines.slice(loop.from, loop.to + 1).some((line) => line.multiplies);
    return multiplies && ownBytes(lines, loop, loops) > 0;
  });
  return passes
    .filter((loop) => !passes.some((other) => other !== loop && isWithin(other, loop)))
    .map(({ from, to }) => lines.slice(from, to + 1));
}

/** A turn of both passes, first keys, then values; undefined unless there are two whose turns load the same number of bytes. */
export function sumOfPasses(passes: readonly LoopCounts[]): LoopCounts | undefined {
  const [keys, values] = passes;
  if (passes.length !== 2 || keys!.loadBytes !== values!.loadBytes) return undefined;
  const sum = (of: (pass: LoopCounts) => number) => of(keys!) + of(values!);
  return {
    instructions: sum((pass) => pass.instructions),
    loadBytes: sum((pass) => pass.loadBytes),
    inFlight: Math.max(keys!.inFlight, values!.inFlight),
    drains: sum((pass) => pass.drains),
    scratch: sum((pass) => pass.scratch),
    ...(keys!.ldsShuffles !== undefined && { ldsShuffles: sum((pass) => pass.ldsShuffles ?? 0) }),
  };
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
  const within = loops.filter((other) => other !== loop && isWithin(other, loop));
  let bytes = 0;
  for (let at = loop.from; at <= loop.to; at++) {
    if (!within.some(({ from, to }) => from <= at && at <= to)) bytes += lines[at]!.loadBytes;
  }
  return bytes;
}

function isWithin(inner: Loop, outer: Loop): boolean {
  return inner.from >= outer.from && inner.to <= outer.to;
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
