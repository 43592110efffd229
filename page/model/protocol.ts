// protocol.ts: what the page and the worker that runs models say to each other.
import type { GenerateOptions } from '../../src/models/decoder/generate.ts';
import type { MemoryPlan } from '../../src/models/decoder/memoryPlan.ts';
import type { Variant } from '../../bench/model/variants.ts';
import type { KvType } from '../../src/index.ts';
import type { GeneratedVariant, MeasuredText } from '../../bench/model/generated.ts';
import type { AdapterFacts } from '../shell/adapterFacts.ts';
import type { Failed } from '../shell/onDevice.ts';
import type { ModelFolder } from './files.ts';

/** What a model is, and what it would take here. */
export interface ModelFacts {
  readonly type: string;
  readonly layers: number;
  readonly numQHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly hiddenSize: number;
  readonly vocabSize: number;
  /** Bytes of its tensors, as they are stored, and the types of their elements. */
  readonly weightBytes: number;
  readonly dtypes: readonly string[];
  /** Whether text can be given, or why not. */
  readonly tokenizer: 'usable' | 'none' | { readonly fault: string };
  /** The model as it is, then with fewer KV heads. */
  readonly variants: readonly VariantFacts[];
  /** Tokens that the plans of memory have room for. */
  readonly plannedTokens: number;
  readonly adapter: AdapterFacts;
}

/** A variant, and what it would take with each type of cache. */
export interface VariantFacts {
  readonly variant: Variant;
  readonly plans: Readonly<Record<KvType, VariantPlan>>;
}

/** A variant's memory on this adapter, or why it cannot be run. */
export interface VariantPlan {
  readonly memory?: MemoryPlan;
  readonly fault?: string;
}

/** A text to make by several variants, one after the other. */
export interface GenerateRequest {
  readonly folder: ModelFolder;
  readonly prompt: string | readonly number[];
  /** A text whose loss is measured too; empty for none, and where the model has no tokenizer. */
  readonly measured: string;
  readonly options: GenerateOptions;
  /** Element type of K and V. */
  readonly cacheType: KvType;
  readonly variants: readonly Variant[];
}

/** What a variant's text took. */
export interface Figures {
  readonly promptTokens: number;
  readonly promptMs: number;
  readonly promptNll?: number;
  readonly measured?: MeasuredText;
  /** Why the text was not measured, though it was asked for. */
  readonly measuredFault?: string;
  readonly tokens: number;
  /** Of the tokens behind the first; undefined for a single one. */
  readonly tokensPerSecond?: number;
  readonly kvPerToken: number;
  /** A token that ends a text came. */
  readonly isEnded: boolean;
  /** The tab was hidden meanwhile. */
  readonly wasHidden: boolean;
}

/** A variant's text, and whether the tab was hidden while it was made. */
export interface PageVariant extends GeneratedVariant {
  readonly wasHidden: boolean;
}

export type ToModelWorker =
  | { readonly type: 'describe'; readonly folder: ModelFolder; readonly visible: boolean }
  | { readonly type: 'generate'; readonly request: GenerateRequest; readonly visible: boolean }
  | { readonly type: 'visible'; readonly visible: boolean };

/** Of a text in the making. `index` is that of the variant. */
export type GenerateEvent =
  | { readonly type: 'progress'; readonly index: number; readonly text: string; readonly share?: number }
  | { readonly type: 'text'; readonly index: number; readonly text: string }
  /** `text` is all of it. */
  | {
      readonly type: 'finished';
      readonly index: number;
      readonly text: string;
      readonly figures: Figures;
      /** All of it, to take away. */
      readonly generated: PageVariant;
    }
  /** The variant cannot be run here; others go on. */
  | { readonly type: 'refused'; readonly index: number; readonly message: string };

/** `described`, `done` and `failed` are its last words. */
export type FromModelWorker =
  | GenerateEvent
  | { readonly type: 'described'; readonly facts: ModelFacts }
  | { readonly type: 'done' }
  | Failed;
