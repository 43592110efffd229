// newModel.ts: a Llama of given sizes that has no weights yet: its config.json and its tensors, as Hugging Face names them.
import { describeModel } from '../checkpoint/model/describeModel.ts';
import { tensorsOf } from '../checkpoint/model/tensorsOf.ts';
import type { TensorSpec } from '../checkpoint/format/safetensors.ts';
import { checkWhole } from '../device/options.ts';
import { ShapeError } from '../device/errors.ts';
import type { ModelSpec } from '../models/decoder/spec.ts';

/** Sizes of a model. */
export interface ModelSizes {
  readonly layers: number;
  /** Elements of a hidden state. */
  readonly dim: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** Elements of the feed-forward network's inside. */
  readonly feedForward: number;
}

/** What a model is before it has weights. */
export interface NewModel {
  readonly config: Readonly<Record<string, unknown>>;
  /** All tensors by name, F32. */
  readonly tensors: ReadonlyMap<string, TensorSpec>;
  readonly spec: ModelSpec;
}

const MOST = 2 ** 16;

/** Describes it. `context`: positions that it is for. Throws ShapeError for sizes that do not go together. */
export function newModel(sizes: ModelSizes, vocabSize: number, context: number): NewModel {
  const { layers, dim, heads, kvHeads, feedForward } = sizes;
  checkWhole('model: vocabSize', vocabSize, 1, 2 ** 20);
  for (const [name, size] of Object.entries(sizes)) checkWhole(`model: ${name}`, size, 1, MOST);
  if (dim % heads !== 0)
    throw new ShapeError(`model: expected a dim that is a multiple of the heads, got ${dim} and ${heads}`);
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: vocabSize,
    hidden_size: dim,
    intermediate_size: feedForward,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: dim / heads,
    hidden_act: 'silu',
    max_position_embeddings: context,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: false,
    bos_token_id: null,
    eos_token_id: null,
    torch_dtype: 'float32',
  };
  const bare = tensorsOf(config, 'F32', 'model');
  const tensors = new Map(
    [...bare.values()].map((tensor) => {
      const name = tensor.name.startsWith('lm_head') ? tensor.name : `model.${tensor.name}`;
      return [name, { ...tensor, name }];
    }),
  );
  return { config, tensors, spec: describeModel(tensors, config, 'model') };
}
