// configText.ts: the fields of a config.json that describe the text model, wherever they stand.
import { ShapeError } from '../device/errors.ts';
import { asFields, isFields, isGiven, show, type ConfigFile, type Fields } from './configFields.ts';
import { NESTED_DEFAULTS, tableName, TYPE_DEFAULTS } from './modelTypes.ts';

/** Names for the number of query heads. */
export const HEADS = ['num_attention_heads', 'n_head', 'num_heads', 'n_heads', 'attention_heads'];

/** Fields of models of several kinds of input that hold their language model. */
export const NESTED = ['text_config', 'language_config', 'llm_config', 'thinker_config'];

/**
 * Opens a parsed config.json at its text model: the top, a nested `text_config`, or both where both have the head
 * counts. A number that stands in both and differs is a ShapeError with both.
 */
export function openConfig(config: unknown, where: string): ConfigFile {
  return openAt(config, where, false);
}

function openAt(config: unknown, where: string, isNested: boolean): ConfigFile {
  const top = asFields(config, where);
  const name = NESTED.find((nested) => isGiven(top[nested]));
  if (name === undefined) return fileOf(top, where, isNested);
  const nested = openAt(top[name], `${where}: ${name}`, true);
  checkSame(top, nested, where);
  const hasHeads = HEADS.some((heads) => isGiven(top[heads]));
  if (!hasHeads) return nested;
  const given = Object.fromEntries(Object.entries(top).filter(([, value]) => isGiven(value)));
  return fileOf(
    { ...nested.own, ...given, model_type: nested.own['model_type'] ?? top['model_type'] },
    where,
    isNested,
  );
}

function fileOf(own: Fields, where: string, isNested: boolean): ConfigFile {
  const modelType = typeof own['model_type'] === 'string' ? own['model_type'] : '';
  // A file without a model type that has the fields of nanoGPT's GPTConfig is of it.
  const isNanoGpt = modelType === '' && ['n_layer', 'n_head', 'n_embd'].every((name) => isGiven(own[name]));
  // GLM of 2021 counts its layers in another field than its namesake of 2024, and has one KV head for each query head.
  const isGlm2021 = modelType === 'glm' && isGiven(own['num_layers']) && !isGiven(own['num_hidden_layers']);
  const type = isNanoGpt ? 'nanogpt' : isGlm2021 ? 'glm-2021' : tableName(modelType);
  const defaultsIn = (table: Readonly<Record<string, Fields>>) =>
    Object.hasOwn(table, type) ? table[type] : undefined;
  const defaults = { ...(isNested && defaultsIn(NESTED_DEFAULTS)), ...defaultsIn(TYPE_DEFAULTS) };
  return { where, modelType, type, own, fields: { ...defaults, ...own }, understood: new Set() };
}

const COUNTED =
  /^(num_.*(layers|heads|heads_per_layer)|n_(layers?|heads?|kv_heads?)|head_dim|sliding_window.*|layer_types|.*_pattern)$/;

function checkSame(top: Fields, nested: ConfigFile, where: string): void {
  for (const [name, value] of Object.entries(top)) {
    const inner = nested.own[name];
    if (!COUNTED.test(name) || !isGiven(value) || !isGiven(inner) || isFields(value)) continue;
    if (JSON.stringify(value) === JSON.stringify(inner)) continue;
    throw new ShapeError(
      `${where}: ${name} is ${show(value)}, and ${nested.where.slice(where.length + 2)} has ${show(inner)}: expected the same in both`,
    );
  }
}
