// compact.ts: a result as a short text, and back: what most results have in common is left out, names are codes. No DOM.
import { rowId, testName, variantName } from '../../bench/run/rows.ts';
import { applyDelta, delta, isFields, type Json } from './delta.ts';
import { NAMES, USUAL_CONTEXT, USUAL_ROW } from './usual.ts';
import type { RowParams } from '../../bench/schema/schema.ts';

/** No row is longer than all the text, though it may take few bytes of it; all rows together may not be longer than this. */
const MOST_CHARACTERS = 2 ** 25;

/** Kind, context and rows, each as what differs from the usual, or from the row before it. */
export function compactText(result: Json): string {
  const { context, results, ...kind } = result as { readonly [name: string]: Json };
  const rows = (results as readonly Json[]).map(withoutNames);
  const changes = rows.map((row, i) => delta(rows[i - 1] ?? USUAL_ROW, row) ?? {});
  return JSON.stringify(
    [kind, delta(USUAL_CONTEXT, context!) ?? {}, changes].map((part) => renamed(part, CODES)),
  );
}

/** The result of such a text, unchecked. Throws for a text that is none. */
export function expanded(text: string): Json {
  const parts = JSON.parse(text) as Json;
  if (!Array.isArray(parts) || parts.length !== 3 || !Array.isArray(parts[2]))
    throw new Error('it holds no rows');
  const [kind, context, changes] = parts.map((part: Json) => renamed(part, SPOKEN)) as [
    object,
    Json,
    readonly Json[],
  ];
  if (changes.length * text.length > MOST_CHARACTERS)
    throw new Error(`it has ${changes.length} rows, more than a link holds`);
  let row: Json | undefined = USUAL_ROW;
  const rows = changes.map((change) => (row = applyDelta(row, change)!));
  return { ...kind, context: applyDelta(USUAL_CONTEXT, context)!, results: rows.map(withNames) };
}

/** What a row is called follows from its parameters; where it does not, it keeps its names. */
function withoutNames(row: Json): Json {
  if (!isFields(row)) return row;
  const names = namesOf(row);
  return Object.fromEntries(Object.entries(row).filter(([name, value]) => names[name] !== value));
}

function withNames(row: Json): Json {
  return isFields(row) ? { ...namesOf(row), ...row } : row;
}

function namesOf({ params }: { readonly [name: string]: Json }): { readonly [name: string]: Json } {
  if (!isFields(params)) return {};
  const of = params as unknown as RowParams;
  return { id: rowId(of), test: testName(of), variant: variantName(of) };
}

const CODES: ReadonlyMap<string, string> = new Map(NAMES.map((name, i) => [name, i.toString(36)]));
const SPOKEN: ReadonlyMap<string, string> = new Map(NAMES.map((name, i) => [i.toString(36), name]));

/** A name that is not among the known ones, or looks like a code, stands behind a mark. */
const MARK = '_';

function renamed(value: Json, names: ReadonlyMap<string, string>): Json {
  if (Array.isArray(value)) return value.map((each: Json) => renamed(each, names));
  if (!isFields(value)) return value;
  const entries = Object.entries(value).map(([name, each]) => [nameIn(name, names), renamed(each, names)]);
  return Object.fromEntries(entries) as Json;
}

function nameIn(name: string, names: ReadonlyMap<string, string>): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  return names === SPOKEN && name.startsWith(MARK)
    ? name.slice(MARK.length)
    : names === CODES
      ? MARK + name
      : name;
}
