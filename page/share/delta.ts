// delta.ts: a value as what is different from another one: rows of a result have nearly everything in common. No DOM.

/** What JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

type Fields = { readonly [name: string]: Json };

/** Under this name stand the names of fields that are gone; no field of a result is called so. */
const GONE = '-';

/** Whether it is an object with fields. */
export function isFields(value: Json | undefined): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What of `value` is not as in `base`; undefined when nothing is. Lists are replaced as a whole. */
export function delta(base: Json | undefined, value: Json): Json | undefined {
  if (!isFields(base) || !isFields(value))
    return JSON.stringify(base) === JSON.stringify(value) ? undefined : value;
  const changed = Object.entries(value).flatMap(([name, now]): [string, Json][] => {
    const change = delta(Object.hasOwn(base, name) ? base[name] : undefined, now);
    return change === undefined ? [] : [[name, change]];
  });
  const gone = Object.keys(base).filter((name) => !Object.hasOwn(value, name));
  if (changed.length === 0 && gone.length === 0) return undefined;
  return { ...Object.fromEntries(changed), ...(gone.length > 0 && { [GONE]: gone }) };
}

/** The value that `change` makes of `base`: the inverse of `delta`. */
export function applyDelta(base: Json | undefined, change: Json | undefined): Json | undefined {
  if (change === undefined) return base;
  if (!isFields(base) || !isFields(change)) return change;
  const { [GONE]: gone, ...changed } = change;
  const fields = new Map(Object.entries(base));
  for (const name of Array.isArray(gone) ? gone : []) fields.delete(String(name));
  for (const [name, each] of Object.entries(changed)) fields.set(name, applyDelta(fields.get(name), each)!);
  return Object.fromEntries(fields);
}
