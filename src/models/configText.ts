// configText.ts: the fields of a config.json that describe the text model, wherever they stand.
import { ShapeError } from '../device/errors.ts';
import { asFields, isFields, isGiven, show, type ConfigFile, type Fields } from './configFields.ts';
import { rulesOf, typeOf } from './families/index.ts';

/** Names for the number of query heads. */
export const HEADS = ['num_attention_heads', 'n_head', 'num_heads', 'n_heads', 'attention_heads'];

/** Fields of models of several kinds of input that hold their language model. */
const NESTED = ['text_config', 'language_config', 'llm_config', 'thinker_config'];

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
  const type = typeOf(own);
  const rules = rulesOf(type);
  const defaults = { ...(isNested && rules.nestedDefaults), ...rules.defaults };
  return { where, modelType, type, own, fields: { ...defaults, ...own }, understood: new Set() };
}

/** The keys that lead from the top to the object that has the text model's head counts; none where the top has them. */
export function textPath(config: Fields): readonly string[] {
  if (HEADS.some((name) => typeof config[name] === 'number')) return [];
  const name = NESTED.find((nested) => isFields(config[nested]));
  return name === undefined ? [] : [name, ...textPath(config[name] as Fields)];
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
