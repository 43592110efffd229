// lengths.ts: how many tokens the layers of a cache hold, and how many appends were recorded, as counted on the host.
import { ShapeError } from '../device/errors.ts';
import { segmentsPerSequence } from './headSegments.ts';
import type { CacheLayout } from './layout.ts';
import { checkCut, type RingLayout } from './rings.ts';

/** An append that was counted, to be taken back where it did not happen. */
export interface CountedAppend {
  readonly layer: number;
  /** Its dispatches: more than one in a cache of several segments. */
  readonly dispatches: number;
  readonly before: readonly number[];
  /** Its tokens of each sequence. */
  readonly numTokens: readonly number[];
  /** The lengths it was counted in; `load` puts others in their place. */
  readonly lens: number[];
}

/** A fork that was counted, to be taken back where it did not happen. */
export interface CountedFork {
  readonly to: number;
  /** Of each layer, the lengths it was counted in, and the dispatches that it counts as appends of the layer. */
  readonly layers: readonly { readonly lens: number[]; readonly dispatches: number }[];
}

/** The lengths of a cache, per layer and sequence. Every change of them is here. */
export class CacheLengths {
  readonly #capacity: number;
  readonly #layers: number[][];
  readonly #appends: number[];
  readonly #rings: readonly (RingLayout | undefined)[];
  /** Dispatches of a copy in each layer. */
  readonly #copies: readonly number[];
  /** Of each layer and sequence: up to which token its slots were written to. A ring has lost those a lap before. */
  readonly #written: number[][];

  constructor({ perLayer, batch, capacity }: Pick<CacheLayout, 'perLayer' | 'batch' | 'capacity'>) {
    const zeros = () => Array.from({ length: batch }, () => 0);
    this.#capacity = capacity;
    this.#layers = perLayer.map(zeros);
    this.#written = perLayer.map(zeros);
    this.#appends = perLayer.map(() => 0);
    this.#rings = perLayer.map(({ ring }) => ring);
    this.#copies = perLayer.map(segmentsPerSequence);
  }

  /** The lengths of a layer themselves, which change with every append. */
  live(layer: number): readonly number[] {
    return this.#layers[layer]!;
  }

  /** Up to which token the slots of each sequence of a layer were written to: its length, or more after a truncation. */
  written(layer: number): readonly number[] {
    return this.#written[layer]!;
  }

  /** Dispatches of appends recorded into a layer so far, without those that were taken back: what the GPU should have executed. */
  appends(layer: number): number {
    return this.#appends[layer]!;
  }

  /** Throws ShapeError when a sequence of the layer has no room for its tokens: [B]. */
  checkRoom(layer: number, numTokens: ArrayLike<number>): void {
    const lens = this.#layers[layer]!;
    for (let b = 0; b < lens.length; b++) {
      if (lens[b]! + numTokens[b]! > this.#capacity) {
        throw new ShapeError(
          `append: sequence ${b} of layer ${layer} holds ${lens[b]} tokens; ${numTokens[b]} more exceed the capacity of ${this.#capacity}`,
        );
      }
    }
  }

  /** Counts an append that was recorded: the tokens of each sequence, and its dispatches. */
  count(layer: number, numTokens: ArrayLike<number>, dispatches = 1): void {
    const lens = this.#layers[layer]!;
    const written = this.#written[layer]!;
    for (let b = 0; b < lens.length; b++) {
      lens[b]! += numTokens[b]!;
      written[b] = Math.max(written[b]!, lens[b]!);
    }
    this.#appends[layer]! += dispatches;
  }

  /** The append that was counted last, to take it back with. */
  mark(layer: number, numTokens: ArrayLike<number>, dispatches = 1): CountedAppend {
    const lens = this.#layers[layer]!;
    const before = lens.map((kvLen, b) => kvLen - numTokens[b]!);
    return { layer, dispatches, lens, before, numTokens: Array.from(numTokens) };
  }

  /**
   * Takes back an append that did not happen. What was appended to the layer behind it is forgotten too, for it lies behind
   * a gap: returns whether there was any. Lengths that were loaded since stay.
   */
  takeBack({ layer, dispatches, before, lens, numTokens }: CountedAppend): boolean {
    this.#appends[layer]! -= dispatches;
    if (this.#layers[layer] !== lens) return false;
    const behind = lens.some((kvLen, b) => kvLen > before[b]! + numTokens[b]!);
    for (let b = 0; b < lens.length; b++) lens[b] = Math.min(lens[b]!, before[b]!);
    return behind;
  }

  /**
   * All layers keep the first tokens of each sequence. Throws ShapeError, and changes nothing, when one holds fewer, or when its
   * ring has overwritten some that the next token sees.
   */
  truncate(wanted: readonly number[]): void {
    wanted.forEach((kvLen, b) => this.#checkKept(b, kvLen));
    wanted.forEach((kvLen, b) => this.#cut(b, kvLen));
  }

  /** The same for one sequence. */
  truncateSequence(b: number, kvLen: number): void {
    this.#checkKept(b, kvLen);
    this.#cut(b, kvLen);
  }

  #checkKept(b: number, kvLen: number): void {
    this.#layers.forEach((lens, layer) => {
      checkKept(layer, b, lens[b]!, kvLen);
      const ring = this.#rings[layer];
      if (!ring || kvLen === lens[b]!) return;
      checkCut(`truncate: sequence ${b} of layer ${layer}`, ring, kvLen, this.#written[layer]![b]!);
    });
  }

  #cut(b: number, kvLen: number): void {
    this.#layers.forEach((lens, layer) => {
      lens[b] = kvLen;
      const ring = this.#rings[layer];
      // Nothing of the ring is left to be overwritten.
      if (!ring || kvLen <= ring.sinkSlots) this.#written[layer]![b] = kvLen;
    });
  }

  /** Tokens of a sequence in the layer that holds the most of them. */
  longest(b: number): number {
    return this.#layers.reduce((most, lens) => Math.max(most, lens[b]!), 0);
  }

  /** Tokens of a sequence in the layer that holds the fewest of them. */
  shortest(b: number): number {
    return this.#layers.reduce((least, lens) => Math.min(least, lens[b]!), Infinity);
  }

  /** Counts a copy of a page that was recorded, as one of the appends of each layer. */
  countCopy(): void {
    for (let layer = 0; layer < this.#appends.length; layer++) this.#appends[layer]!++;
  }

  /**
   * Counts a fork that was recorded: in all layers `to` holds as many tokens as `from`, where there are any by a copy unless
   * the two share pages.
   */
  countFork(from: number, to: number, copies = true): CountedFork {
    const layers = this.#layers.map((lens, layer) => {
      const dispatches = copies && lens[from]! > 0 ? this.#copies[layer]! : 0;
      this.#appends[layer]! += dispatches;
      lens[to] = lens[from]!;
      this.#written[layer]![to] = this.#written[layer]![from]!;
      return { lens, dispatches };
    });
    return { to, layers };
  }

  /** After a fork that did not happen its sequence is empty, but in layers that were loaded since. */
  dropFork({ to, layers }: CountedFork): void {
    layers.forEach(({ lens, dispatches }, layer) => {
      this.#appends[layer]! -= dispatches;
      if (this.#layers[layer] !== lens) return;
      lens[to] = 0;
      this.#written[layer]![to] = 0;
    });
  }

  /** The length of a sequence that was written by the host, and up to which token its slots were. */
  replaceSequence(layer: number, b: number, kvLen: number, written: number): void {
    this.#layers[layer]![b] = kvLen;
    this.#written[layer]![b] = written;
  }

  /** The lengths of a layer that was written by the host. */
  replace(layer: number, kvLens: readonly number[]): void {
    this.#layers[layer] = [...kvLens];
    this.#written[layer] = [...kvLens];
  }
}

function checkKept(layer: number, b: number, held: number, wanted: number): void {
  if (wanted <= held) return;
  throw new ShapeError(
    `truncate: sequence ${b} of layer ${layer} holds ${held} tokens, cannot keep ${wanted}`,
  );
}
