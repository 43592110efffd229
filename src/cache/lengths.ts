// lengths.ts: how many tokens the layers of a cache hold, and how many appends were recorded, as counted on the host.
import { ShapeError } from '../device/errors.ts';
import type { CacheLayout } from './layout.ts';

/** An append that was counted, to be taken back where it did not happen. */
export interface CountedAppend {
  readonly layer: number;
  readonly before: readonly number[];
  /** Its tokens of each sequence. */
  readonly numTokens: readonly number[];
  /** The lengths it was counted in; `load` puts others in their place. */
  readonly lens: number[];
}

/** A fork that was counted, to be taken back where it did not happen. */
export interface CountedFork {
  readonly to: number;
  /** Of each layer, the lengths it was counted in, and whether it is one of the layer's appends. */
  readonly layers: readonly { readonly lens: number[]; readonly isCopied: boolean }[];
}

/** The lengths of a cache, per layer and sequence. Every change of them is here. */
export class CacheLengths {
  readonly #capacity: number;
  readonly #layers: number[][];
  readonly #appends: number[];

  constructor({ layers, batch, capacity }: Pick<CacheLayout, 'layers' | 'batch' | 'capacity'>) {
    this.#capacity = capacity;
    this.#layers = Array.from({ length: layers }, () => Array.from({ length: batch }, () => 0));
    this.#appends = Array.from({ length: layers }, () => 0);
  }

  /** The lengths of a layer themselves, which change with every append. */
  live(layer: number): readonly number[] {
    return this.#layers[layer]!;
  }

  /** Appends recorded into a layer so far, without those that were taken back: what the GPU should have executed. */
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

  /** Counts an append that was recorded: the tokens of each sequence. */
  count(layer: number, numTokens: ArrayLike<number>): void {
    const lens = this.#layers[layer]!;
    for (let b = 0; b < lens.length; b++) lens[b]! += numTokens[b]!;
    this.#appends[layer]!++;
  }

  /** The append that was counted last, to take it back with. */
  mark(layer: number, numTokens: ArrayLike<number>): CountedAppend {
    const lens = this.#layers[layer]!;
    const before = lens.map((kvLen, b) => kvLen - numTokens[b]!);
    return { layer, lens, before, numTokens: Array.from(numTokens) };
  }

  /**
   * Takes back an append that did not happen. What was appended to the layer behind it is forgotten too, for it lies behind
   * a gap: returns whether there was any. Lengths that were loaded since stay.
   */
  takeBack({ layer, before, lens, numTokens }: CountedAppend): boolean {
    this.#appends[layer]!--;
    if (this.#layers[layer] !== lens) return false;
    const behind = lens.some((kvLen, b) => kvLen > before[b]! + numTokens[b]!);
    for (let b = 0; b < lens.length; b++) lens[b] = Math.min(lens[b]!, before[b]!);
    return behind;
  }

  /** All layers keep the first tokens of each sequence. Throws ShapeError, and changes nothing, when one holds fewer. */
  truncate(wanted: readonly number[]): void {
    this.#layers.forEach((lens, layer) => wanted.forEach((kvLen, b) => checkKept(layer, b, lens[b]!, kvLen)));
    for (const lens of this.#layers) lens.splice(0, lens.length, ...wanted);
  }

  /** All layers keep the first `kvLen` tokens of a sequence. Throws ShapeError, and changes nothing, when one holds fewer. */
  truncateSequence(b: number, kvLen: number): void {
    this.#layers.forEach((lens, layer) => checkKept(layer, b, lens[b]!, kvLen));
    for (const lens of this.#layers) lens[b] = kvLen;
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
      const isCopied = copies && lens[from]! > 0;
      if (isCopied) this.#appends[layer]!++;
      lens[to] = lens[from]!;
      return { lens, isCopied };
    });
    return { to, layers };
  }

  /** After a fork that did not happen its sequence is empty, but in layers that were loaded since. */
  dropFork({ to, layers }: CountedFork): void {
    layers.forEach(({ lens, isCopied }, layer) => {
      if (isCopied) this.#appends[layer]!--;
      if (this.#layers[layer] === lens) lens[to] = 0;
    });
  }

  /** The length of a sequence that was written by the host. */
  replaceSequence(layer: number, b: number, kvLen: number): void {
    this.#layers[layer]![b] = kvLen;
  }

  /** The lengths of a layer that was written by the host. */
  replace(layer: number, kvLens: readonly number[]): void {
    this.#layers[layer] = [...kvLens];
  }
}

function checkKept(layer: number, b: number, held: number, wanted: number): void {
  if (wanted <= held) return;
  throw new ShapeError(
    `truncate: sequence ${b} of layer ${layer} holds ${held} tokens, cannot keep ${wanted}`,
  );
}
