// configUnknown.ts: fields of a config.json that speak of layers, sharing or heads and that no rule has understood.
import { ShapeError } from '../device/errors.ts';
import { BY_HAND } from './configHeads.ts';
import { rulesOf } from './families/index.ts';
import { ATTN_CONFIG_KV_HEADS } from './headFields.ts';
import { isFields, isGiven, show, type ConfigFile, type Fields } from './configFields.ts';

// Names that may say that layers differ, that a cache is shared or compressed, or how many heads of which size there are.
const SPEAKS = new RegExp(
  [
    '(^|_)attn_|^attention_|_(attn|attention)_(type|layer|map|pattern)|cross_(layer|att)|sparse_att',
    '(layer|block)s?_(type|kind|config|pattern|map|mask|switch|group|idx|id|indic|list|period|offset|interval|freq)',
    '(type|config|pattern|idx|idxs|ids|indices|index)s?_?(of|per)?_(layer|block)s?',
    'per_(layer|block)|pattern|every_n|(^|_)switch',
    'shar(e|ed|ing)|reuse|yoco|(^|_)cla(_|$)',
    'window|sliding|(^|_)swa(_|$)|att(entio)?n_chunk|hybrid|interleav|(^|_)(local|global)_',
    '(^|_)kv_|_kv(_|$)|key_value|query_group|group_query|attention_group|multi_query|lora_rank|latent|compress',
    // Layers that run several times keep K and V of each time.
    'recurren|(^|_)ut_steps|(^|_)loops?(_|$)',
    'head_?(dim|size)|(^|_)d_head|size_per_head',
  ].join('|'),
  'i',
);

// A list, a table or a word under such a name is of layers.
const LISTED = /layer|block|att(entio)?n|(^|_)head|(^|_)kv|cache/i;

// Words of fields that speak of something else: experts, projections, norms, positions, other inputs.
const OTHER =
  /moe|expert|mlp|ffn|ff_|intermediate|activation|swiglu|norm|rope|rotary|nope|embed|vocab|token|image|vision|visual|video|audio|speech|patch|pixel|mm_|codebook|quant|rank_pattern|implementation|_cls$/i;

// Fields that say nothing with these values: Phi-4's stride of its full layers, ERNIE's shorter positions, one time round.
const UNUSED: Readonly<Record<string, number>> = {
  compression_ratio: 1,
  full_attn_mod: 1,
  loop_num: 1,
  num_loops: 1,
  total_ut_steps: 1,
};

// Tables of how attention is computed over a cache that keeps every token: Qwen's for a million tokens.
const COMPUTED: ReadonlySet<string> = new Set(['dual_chunk_attention_config']);

// And of numbers and switches that do not change what is kept.
const HARMLESS = new RegExp(
  [
    'drop|prob|bias|softcap|softmax|scal|multiplier|clip|temperature|clamp|gate|gating|initializer|dtype|fp32|seconds',
    'position|per_layer_input|alpha_factor|beta_factor|max_attn_value|(^|_)(mamba|ssm|conv|lru|rwkv|mtp|nextn)_|linear_(conv|key|value|num|head)|^index_',
    '^num_(hidden_|dense_|sparse_|residual_|encoder_|decoder_|add_)*layers$|^block_(size|multiple_of|ffn|auto|use|out|dim|norm|mlp)|^attention_hidden_size',
    '^(encoder|output|tie|use_mem)_|use_cache|uses_sequence_id|attn_impl$|adapter|parallel|flash|sdpa|reorder',
  ].join('|'),
  'i',
);

/** Refuses such a field by name, with what to do. A window is no reason: it only makes a cache smaller, which is noted. */
export function checkUnknown(file: ConfigFile): string[] {
  const nested = file.own['attn_config'];
  const { computed } = rulesOf(file.type);
  const unknown = [
    ...notUnderstood(file.own, file.understood).filter(([name]) => !computed?.test(name)),
    ...(isFields(nested) ? notUnderstood(nested, ATTN_CONFIG) : []),
  ];
  const isWindow = ([name, value]: [string, unknown]) =>
    /window|chunk/i.test(name) && (typeof value === 'number' || isShortAndLong(name, value));
  const refused = unknown.find((entry) => !isWindow(entry));
  if (refused) {
    const [name, value] = refused;
    const type = file.modelType === '' ? 'a file without model_type' : `model_type "${file.modelType}"`;
    throw new ShapeError(
      `${file.where}: ${name} (${show(value)}) may change what the layers keep, and is not understood for ${type}; give the shape by hand (${BY_HAND})`,
    );
  }
  return unknown.map(
    ([name, value]) =>
      `every layer counts as global: nothing says which layers "${name}" (${show(value)}) is for`,
  );
}

/** What configHeads.ts reads of `attn_config`. */
const ATTN_CONFIG: ReadonlySet<string> = new Set(['attn_type', ATTN_CONFIG_KV_HEADS]);

function notUnderstood(fields: Fields, understood: ReadonlySet<string>): [name: string, value: unknown][] {
  return Object.entries(fields).filter(
    ([name, value]) => !understood.has(name) && speaksOfLayers(name, value),
  );
}

function speaksOfLayers(name: string, value: unknown): boolean {
  if (OTHER.test(name) || COMPUTED.has(name) || isNeutral(value)) return false;
  if (Object.hasOwn(UNUSED, name) && value === UNUSED[name]) return false;
  if (isShortAndLong(name, value) && !String(value).includes('S')) return false;
  if (typeof value === 'object') return SPEAKS.test(name) || LISTED.test(name);
  const speaks = SPEAKS.test(name) || (typeof value === 'string' && LISTED.test(name));
  return speaks && !HARMLESS.test(name);
}

/** nanochat's letters, S for layers with a window whose length the file does not give, L for the others. */
function isShortAndLong(name: string, value: unknown): boolean {
  return name === 'window_pattern' && typeof value === 'string' && /^[SL]+$/.test(value);
}

function isNeutral(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isFields(value)) return Object.keys(value).length === 0;
  return !isGiven(value) || value === false || value === 0 || value === -1 || value === '';
}
