// decoderFormat.ts: what the checkpoints of a family have beside attention: names of tensors, norms, activations, the head.
import type { NormKind } from '../../kernels/model/product.ts';
import type { ConfigFile, Fields } from '../configFields.ts';
import type { ModuleSpec } from './moduleSpec.ts';

/** Norms of a layer by where they stand: in front of attention and of the feed-forward network, and behind each. */
export type NormPlace = 'attention' | 'afterAttention' | 'mlp' | 'afterMlp';

/** Where the feed-forward network's projections are. `gateUp`: both in one tensor, the gate first. */
export type MlpNames =
  | { readonly gate?: string; readonly up: string; readonly down: string }
  | { readonly gateUp: string; readonly down: string };

/** Tensors that not all models of the same names have. */
export interface OptionalTensors {
  readonly qkvBias: boolean;
  readonly oBias: boolean;
  readonly mlpBias: boolean;
  /** Weights of a norm over each head of q and k. */
  readonly qkNorm: boolean;
}

/** What stands in front of a decoder that has an encoder, and between: names behind the same prefix. */
export interface EncoderFormat {
  /** Fields of the number of its layers: the first that is there. */
  readonly layers: readonly string[];
  /** Its self-attention. That of the decoder, and cross-attention, are those of `CheckpointFormat`. */
  readonly attention: ModuleSpec;
  readonly norms: Readonly<Record<'attention' | 'mlp', string>>;
  readonly mlp: MlpNames;
  readonly finalNorm: string;
  /** The norm in front of the decoder's cross-attention. */
  readonly crossNorm: string;
  /** Fields of the token that targets begin with: the first that is there, or 0. */
  readonly startToken: readonly string[];
}

/** A family's whole models, decoder-only or with an encoder: all that whole models need and `CheckpointFormat` does not say. */
export interface DecoderFormat {
  /** Types, as `tableName` gives them, that compute so. */
  readonly modelTypes: readonly string[];
  /** What the config must say besides. Default: nothing. */
  readonly when?: (config: Fields) => boolean;
  /** Names behind the prefix that the attention's tensors have; `{layer}` stands for the layer's number. */
  readonly embedding: string;
  readonly positions?: string;
  readonly finalNorm?: string;
  readonly norms: Readonly<Partial<Record<NormPlace, string>>>;
  readonly mlp: MlpNames;
  /** Width of the feed-forward network over the hidden size, where the file may leave it out. */
  readonly usualMlpFactor?: number;
  /** The head's name, which has no prefix. */
  readonly head: string;
  /** Its name in files of newer versions. */
  readonly newerHead?: string;
  /**
   * Logits of a head that is the embedding are divided by the square root of the hidden size. Newer files say in this field whether, and
   * not in `tie_word_embeddings`: their head is the embedding where they have no tensor for it.
   */
  readonly scalesTiedHead?: string;
  readonly encoder?: EncoderFormat;
  /** Fields of the buckets' farthest distance, where attention has a table of biases by distance, and what it is by default. */
  readonly relativeBias?: { readonly maxDistance: string; readonly usual: number };
  /** Tensors that nothing reads: copies, and what older versions saved. */
  readonly unread?: RegExp;
  /** Whether the head is the embedding where the file does not say. */
  readonly tied: boolean;
  readonly norm: {
    readonly kind: NormKind;
    readonly fields: readonly string[];
    readonly usualEps: number;
    readonly fromOne?: true;
    /** Whether norms have no weights. */
    readonly bare?: true;
    /** Whether there is one behind the embedding too. */
    readonly afterEmbedding?: true;
  };
  /** Field of the activation, its value where it is left out, and names that the class reads as another. */
  readonly activation: {
    readonly fields: readonly string[];
    readonly usual: string;
    readonly renamed?: Readonly<Record<string, string>>;
  };
  /** Weights are [in, out]. */
  readonly transposed?: true;
  /** What its models have of these. */
  readonly has: (config: Fields) => OptionalTensors;
  /** The embedding is multiplied by the square root of the hidden size. */
  readonly scalesEmbedding?: true;
  /** Rotary pairs are turned the other way round. */
  readonly turnsBack?: true;
  /** Whether attention and feed-forward network read the same hidden states. */
  readonly parallel?: (config: Fields) => boolean;
  /** Whether a layer has rotary positions. */
  readonly isRotary?: (file: ConfigFile, layer: number) => boolean;
  /** Field of the rotary base outside `rope_parameters`. Default `rope_theta`. */
  readonly thetaField?: string;
  /** Rotary base where the config gives none, if it is not that of the `CheckpointFormat`. */
  readonly usualTheta?: number;
  /** Rotary base of layers with a window, where it differs. Such layers have no scaling but their own. */
  readonly localTheta?: (config: Fields) => number;
  /** Layers that see a window, by the class: none whatever the file says, or all where there is one. Default: those that the file says. */
  readonly localLayers?: 'none' | 'all';
  /** What scores are multiplied by besides. */
  readonly layerScale?: (config: Fields, layer: number, headDim: number) => number;
  /** Fields that a file may leave out, and their values in the class that reads it. */
  readonly defaults?: Fields;
  /** Those of the fields that only some families have (`configValues.ts`) that this one reads. */
  readonly reads?: readonly string[];
  /** Fields whose other values would compute something else: the values that are known, null and none among them. */
  readonly only?: Readonly<Record<string, readonly unknown[]>>;
}
