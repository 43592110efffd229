// cacheModel.ts: what must be true of a KV cache and its decoders, as plain arrays.
import { DestroyedError, DeviceLostError, ShapeError } from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';
import type { AttentionProblem } from '../../src/reference/attentionProblem.ts';
import { BATCH, Q_HEADS, type ErrorClass, type LayerSetup, type Setup } from './cacheSetup.ts';
import { even, LayerModel, type Rows, type SequenceModel, type TokenRows } from './layerModel.ts';
import { PageModel } from './pageModel.ts';

/** A plan that was made, and all that decides whether it may be run still. */
export interface PlanModel {
  readonly layer: number;
  readonly kvLens: readonly number[];
  readonly qLens: readonly number[];
  readonly versions: readonly number[] | undefined;
}

/** Random rows of new tokens of a layer. */
export function newRows(
  seed: number,
  numTokens: number,
  { numKvHeads, headDim, vHeadDim }: LayerSetup,
): TokenRows {
  const heads = BATCH * numKvHeads * numTokens;
  return { numTokens, k: normals(seed, heads * headDim), v: normals(seed + 1, heads * vHeadDim) };
}

/** The features that a decoder of a layer has. */
export function featuresOf({ ring }: LayerSetup): { window?: number; sinkTokens?: number } {
  return ring ? { window: ring.window, ...(ring.sinkTokens > 0 && { sinkTokens: ring.sinkTokens }) } : {};
}

/** What must be true of the real cache. */
export class CacheModel {
  layers!: readonly LayerModel[];
  pages: PageModel | undefined;
  /** The sequences of the last snapshot, of each layer. */
  saved: { readonly sequences: readonly number[]; readonly layers: readonly SequenceModel[][] } | undefined;
  /** The plan that was made last, of the decoders that there are. */
  plan: PlanModel | undefined;
  isLost = false;
  hasCache = true;
  hasDecoder = true;

  readonly setup: Setup;

  constructor(setup: Setup) {
    this.setup = setup;
    this.renew();
  }

  /** Another cache, of the same setup. */
  renew(): void {
    const { paged, capacity } = this.setup;
    this.pages = paged && new PageModel({ batch: BATCH, capacity, ...paged }, paged.pageTables === 'caller');
    this.layers = this.setup.layers.map((layer) => new LayerModel(layer, this.setup, this.pages));
    this.hasCache = this.hasDecoder = true;
    this.plan = undefined;
  }

  /** Whether the caller says which pages sequences have. */
  get isCallers(): boolean {
    return this.setup.paged?.pageTables === 'caller';
  }

  /** What every call of the cache throws now, if any does. */
  cacheError(): ErrorClass | undefined {
    if (!this.hasCache) return DestroyedError;
    return this.isLost ? DeviceLostError : undefined;
  }

  /** What every call of the decoders throws now, if any does. */
  decoderError(): ErrorClass | undefined {
    return this.hasDecoder ? this.cacheError() : DestroyedError;
  }

  /** What refuses an append of rows of a layer of which so many are appended; pages are not looked at. */
  roomError(layer: number, counts: readonly number[], rows = Math.max(...counts)): ErrorClass | undefined {
    const { lens, setup } = this.layers[layer]!;
    const { capacity } = this.setup;
    const fits = lens.every((kvLen, b) => kvLen + counts[b]! <= capacity);
    return fits && rows <= Math.min(capacity, setup.ring?.chunk ?? capacity) ? undefined : ShapeError;
  }

  /** The same, or the pages are taken. */
  reserve(layer: number, counts: readonly number[], rows?: number): ErrorClass | undefined {
    const error = this.roomError(layer, counts, rows);
    if (error) return error;
    const { lens } = this.layers[layer]!;
    return this.pages?.reserve(
      lens,
      lens.map((kvLen, b) => kvLen + counts[b]!),
    );
  }

  /** Makes a plan: what refuses that, or its pages are taken. */
  planFor(layer: number, kvLens: readonly number[], qLens: readonly number[]): ErrorClass | undefined {
    if (kvLens.some((kvLen) => kvLen > this.setup.capacity)) return ShapeError;
    const error = this.pages?.reserve(this.shortest(), kvLens);
    if (error) return error;
    this.plan = { layer, kvLens, qLens, versions: this.pages && [...this.pages.versions] };
    return undefined;
  }

  /** What refuses to run a plan now. */
  runError({ layer, kvLens, qLens, versions }: PlanModel): ErrorClass | undefined {
    const model = this.layers[layer]!;
    const isRight = kvLens.every(
      (kvLen, b) =>
        kvLen <= model.lens[b]! &&
        this.pages?.versions[b] === versions?.[b] &&
        model.canAttend(b, kvLen, qLens[b]!),
    );
    return isRight ? undefined : ShapeError;
  }

  /** Tokens of each sequence in the layer that has the fewest, and in the one that has the most. */
  shortest(): number[] {
    return even(0).map((_, b) => Math.min(...this.layers.map(({ lens }) => lens[b]!)));
  }

  longest(): number[] {
    return even(0).map((_, b) => Math.max(...this.layers.map(({ lens }) => lens[b]!)));
  }

  /** Cuts a sequence in all layers; what refuses that, or nothing when it is done. */
  cut(sequences: readonly number[], kvLens: readonly number[]): ErrorClass | undefined {
    const isRight = this.layers.every((layer) => sequences.every((b, i) => layer.canKeep(b, kvLens[i]!)));
    if (!isRight || kvLens.some((kvLen) => kvLen < 0)) return ShapeError;
    for (const [i, b] of sequences.entries()) {
      for (const layer of this.layers) layer.cut(b, kvLens[i]!);
      this.pages?.shorten(b, kvLens[i]!);
    }
    return undefined;
  }

  fork(from: number, to: number): void {
    const longest = this.longest()[from]!;
    for (const layer of this.layers) {
      // Of pages nothing is copied.
      if (!this.pages && layer.lens[from]! > 0) layer.done++;
      layer.put(to, layer.take(from));
    }
    this.pages?.fork(from, to, longest);
  }

  save(sequences: readonly number[]): void {
    // A caller's sequences are nowhere to be put back.
    const layers = this.layers.map((layer) => (this.isCallers ? [] : sequences.map((b) => layer.take(b))));
    this.saved = { sequences, layers };
  }

  /** Puts the saved sequences back, or the only one in the place of `target`: what refuses that, or nothing when it is done. */
  restore(target?: number): ErrorClass | undefined {
    const { sequences, layers } = this.saved!;
    const targets = target === undefined ? sequences : [target];
    const longest = targets.map((_, i) => Math.max(...layers.map((saved) => saved[i]?.kvLen ?? 0)));
    const error = this.pages?.replace(targets, longest);
    if (error) return error;
    layers.forEach((saved, layer) => {
      saved.forEach((each, i) => this.layers[layer]!.put(targets[i]!, each));
    });
    return undefined;
  }

  /** The lengths that a step attends to, its own tokens included. */
  stepLens(): number[] {
    return this.layers[0]!.lens.map((kvLen) => kvLen + this.setup.qLen);
  }

  /** Whether nothing refuses a step of all layers, in the middle of which it could not be taken back. */
  canStep(): boolean {
    if (this.decoderError()) return false;
    const trial = this.trial();
    const counts = even(this.setup.qLen);
    if (trial.planFor(0, this.stepLens(), counts)) return false;
    return trial.layers.every((each, layer) => {
      if (trial.reserve(layer, counts)) return false;
      each.grow(counts);
      return !trial.runError({ ...trial.plan!, layer });
    });
  }

  /** A model of the same lengths and pages, to try what would become of them. */
  trial(): CacheModel {
    const trial = new CacheModel(this.setup);
    if (this.pages) trial.pages!.become(this.pages.clone());
    trial.layers.forEach((layer, i) => {
      layer.lens = [...this.layers[i]!.lens];
      layer.written = [...this.layers[i]!.written];
    });
    return trial;
  }

  /** The attention over the first `kvLens` tokens of a layer. */
  problem({ layer, kvLens, qLens }: PlanModel, q: Rows): AttentionProblem {
    const { qLen, capacity } = this.setup;
    const model = this.layers[layer]!;
    return {
      ...model.setup,
      batch: BATCH,
      numQHeads: Q_HEADS,
      qLen,
      qLens,
      causal: true,
      capacity,
      kvLens,
      smScale: Math.fround(1 / Math.sqrt(model.setup.headDim)),
      q,
      k: model.values('k', kvLens),
      v: model.values('v', kvLens),
      features: featuresOf(model.setup),
    };
  }
}
