// configHeads.ts: every place of a config.json that says how many KV heads the text model has, and whether all agree.
import { isRecord } from '../../device/options.ts';
import type { Fields } from '../../models/configFields.ts';
import { typeOf } from '../../models/families/index.ts';
import { isIgnored, kvHeadNames, readsMultiQuery } from '../../models/headFields.ts';
import { describe, fail } from '../format/checkpointError.ts';
import type { HeadCounts } from '../../models/families/headSlots.ts';

/** The keys that lead to a field, from the top of the file. */
export type Path = readonly string[];

/** An object of the file that describes the text model. */
interface ModelObject {
  readonly path: Path;
  readonly fields: Fields;
}

/** A field that must change with the number of KV heads, and its value for a new number. */
export interface HeadField {
  readonly path: Path;
  /** True for the number itself, not a ratio or a flag. */
  readonly isCount: boolean;
  readonly valueFor: (numKvHeads: number) => number | boolean;
}

/** Query heads to a KV head. */
const RATIO = 'num_key_value_groups';

/** Numbers that two objects about one model must share. */
const SHAPE =
  /^((num|n)_(attention_heads|heads?|hidden_layers|layers?)|hidden_size|n_embd|d_model|head_dim|d_kv|kv_channels|attention_head_size)$/;
/** Keys of objects about the text model, and of those about anything else. */
const TEXT =
  /^(text|llm|lm|language|language_model|decoder|generator|thinker|backbone|base|base_model)(_config)?$/;
const OTHER =
  /vision|visual|vit|image|video|audio|speech|encoder|project|resampl|adapter|talker|codec|draft|assistant|mtp|quant|rope/i;

/**
 * All fields of `config` that follow the number of KV heads, at the top and in nested objects about the same model.
 * `inside` leads to the object that the model was read from, `counts` is what was read. Two places that differ are a
 * CheckpointError with both values.
 */
export function headFields(config: unknown, inside: Path, counts: HeadCounts, where: string): HeadField[] {
  const objects = modelObjects(config, inside, where);
  const names = kvHeadNames(typeOf(objectAt(config, inside)));
  return objects.flatMap((object) => fieldsOf(object, { counts, names, where }));
}

/** The object under a path of keys. */
export function objectAt(config: unknown, path: Path): Fields {
  return path.reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), config) as Fields;
}

function modelObjects(config: unknown, main: Path, where: string): ModelObject[] {
  const own = objectAt(config, main);
  const found: ModelObject[] = [];
  const visit = (fields: Fields, path: Path): void => {
    if (describesSame({ path, fields }, own, main, where)) found.push({ path, fields });
    for (const [key, value] of Object.entries(fields)) {
      if (isRecord(value) && !OTHER.test(key)) visit(value, [...path, key]);
    }
  };
  visit(config as Fields, []);
  return found;
}

/** False for an object about another model: its sizes differ, and its key does not say that it is the text model. */
function describesSame({ path, fields }: ModelObject, own: Fields, main: Path, where: string): boolean {
  const isNumber = (value: unknown) => typeof value === 'number';
  const other = Object.keys(fields).find(
    (name) => SHAPE.test(name) && isNumber(fields[name]) && isNumber(own[name]) && fields[name] !== own[name],
  );
  if (other === undefined) return true;
  const key = path.at(-1);
  if (key !== undefined && !TEXT.test(key)) return false;
  const values = [[main, own] as const, [path, fields] as const].map(
    ([at, of]) => `${[...at, other].join('.')} (${describe(of[other])})`,
  );
  return fail(
    `${where}/config.json: ${values.join(' and ')} contradict each other: expected the same number in both`,
  );
}

interface Expected {
  readonly counts: HeadCounts;
  /** Names for the number of KV heads. */
  readonly names: readonly string[];
  readonly where: string;
}

function fieldsOf({ path, fields }: ModelObject, { counts, names, where }: Expected): HeadField[] {
  const present = (name: string) => fields[name] !== undefined && fields[name] !== null;
  const check = (name: string, expected: number) => {
    if (fields[name] === expected) return;
    fail(
      `${where}/config.json: ${[...path, name].join('.')} is ${describe(fields[name])}, but the number of KV heads was read as ${counts.numKvHeads}: expected ${expected} here too`,
    );
  };
  const found: HeadField[] = [];
  for (const name of names) {
    if (!(name in fields)) continue;
    if (present(name) && !isIgnored(name, fields)) check(name, counts.numKvHeads);
    found.push({ path: [...path, name], isCount: true, valueFor: (numKvHeads) => numKvHeads });
  }
  if (present(RATIO)) {
    check(RATIO, counts.numQHeads / counts.numKvHeads);
    found.push({
      path: [...path, RATIO],
      isCount: false,
      valueFor: (numKvHeads) => counts.numQHeads / numKvHeads,
    });
  }
  if (typeof fields['multi_query'] === 'boolean' && readsMultiQuery(fields)) {
    found.push({
      path: [...path, 'multi_query'],
      isCount: false,
      valueFor: (numKvHeads) => numKvHeads === 1,
    });
  }
  return found;
}
