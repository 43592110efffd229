// spec.ts: what a transformer computes, layer by layer, and the tensors it computes with: plain data. A decoder, or one behind an encoder.
import type { Activation, NormKind } from '../../kernels/model/product.ts';
import type { RopeFormat } from '../../numbers/rope.ts';

/** A norm of the hidden states. */
export interface NormSpec {
  readonly kind: NormKind;
  /** Names of tensors [hidden]. Without a weight: 1 everywhere. */
  readonly weight?: string;
  readonly bias?: string;
  /** Whether weights count from one: 1 + w. */
  readonly fromOne: boolean;
  readonly eps: number;
}

/** Outputs of a projection that lie in a tensor [out, in] or, transposed, [in, out]. */
export interface ProjectionSpec {
  readonly tensor: string;
  readonly transposed: boolean;
  /** Name of the tensor [out] with the biases, in the same order. */
  readonly bias?: string;
  /** Outputs. */
  readonly outputs: number;
  /** Where output i lies in the tensor. */
  readonly rowOf: (output: number) => number;
}

/** Numbers that are added to scores by the distance from the query's position to the key's, as T5 learns them. */
export interface RelativeBiasSpec {
  /** [buckets, heads]; layers may share it. */
  readonly tensor: string;
  readonly buckets: number;
  /** From here on all distances are in one bucket. */
  readonly maxDistance: number;
  /** Whether keys behind the query have half of the buckets. */
  readonly bothWays: boolean;
}

/** A layer's attention. */
export interface AttentionSpec {
  readonly numQHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  /** Scores are so many times q . k. */
  readonly scale: number;
  /** Keys that a query sees, its own included; all where there is none. */
  readonly window?: number;
  /** Scores s become cap * tanh(s / cap). */
  readonly softcap?: number;
  readonly relativeBias?: RelativeBiasSpec;
  /** How q and k are turned; not at all where there is none. `headDim` is that of the model. */
  readonly rope?: Omit<RopeFormat, 'headDim'>;
  /** Whether they are turned the other way round. */
  readonly turnsBack: boolean;
  /** The norm over each head's q and k, before they are turned; without names, its weights are 1. */
  readonly qkNorm?: {
    readonly q?: string;
    readonly k?: string;
    readonly fromOne: boolean;
    readonly eps: number;
  };
  readonly q: ProjectionSpec;
  readonly k: ProjectionSpec;
  readonly v: ProjectionSpec;
  /** Its inputs are the query heads' results, in the order of the heads. */
  readonly o: ProjectionSpec;
}

/** A layer's feed-forward network: down(act(gate) * up), or down(act(up)). */
export interface MlpSpec {
  readonly activation: Activation;
  readonly gate?: ProjectionSpec;
  readonly up: ProjectionSpec;
  readonly down: ProjectionSpec;
}

/** Attention to what an encoder made of the source: K and V are projections of that, the same for every position. */
export interface CrossSpec {
  /** In front of the queries. */
  readonly norm: NormSpec;
  readonly attention: AttentionSpec;
}

/**
 * A layer: x + attention(norm(x)), with an encoder x + cross(norm(x)), then x + mlp(norm(x)); where it is parallel, attention and
 * feed-forward network of the same x.
 */
export interface LayerSpec {
  readonly attentionNorm: NormSpec;
  readonly attention: AttentionSpec;
  readonly cross?: CrossSpec;
  /** The norm of what attention adds. */
  readonly afterAttention?: NormSpec;
  readonly mlpNorm: NormSpec;
  readonly mlp: MlpSpec;
  readonly afterMlp?: NormSpec;
  readonly parallel: boolean;
}

/** What reads the source of an encoder-decoder model: its tokens see each other, those behind them too. */
export interface EncoderSpec {
  readonly layers: readonly LayerSpec[];
  readonly finalNorm: NormSpec;
  /** The token that a target begins with. */
  readonly startToken: number;
}

/** A model. Encoder and decoder have one embedding. */
export interface ModelSpec {
  /** As `model_type` has it. */
  readonly type: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly embedding: {
    /** [vocab, hidden] */
    readonly tensor: string;
    readonly scale: number;
    /** A row for each position, [positions, hidden], added. */
    readonly positions?: { readonly tensor: string; readonly count: number };
    readonly norm?: NormSpec;
  };
  readonly encoder?: EncoderSpec;
  /** Those of the decoder. */
  readonly layers: readonly LayerSpec[];
  readonly finalNorm: NormSpec;
  readonly head: {
    /** Undefined where the embedding is the head too. */
    readonly projection?: ProjectionSpec;
    /** What logits are multiplied by. Default 1. */
    readonly scale?: number;
    /** Logits z become cap * tanh(z / cap). */
    readonly softcap?: number;
  };
  /** Tokens that end a text, by the config. */
  readonly eos: readonly number[];
  /** Positions that the model was trained for, by the config; undefined where it does not say. */
  readonly trainedPositions?: number;
}

/** Reads tensors of a model by name, from wherever they are. */
export interface TensorReader {
  /** Undefined where there is none of that name. */
  tensor(name: string): { readonly dtype: string; readonly shape: readonly number[] } | undefined;
  /** Its bytes, little-endian, row by row. */
  read(name: string): Promise<Uint8Array>;
}
