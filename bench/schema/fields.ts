// fields.ts: the fields that results are made of, each with the words in which an error says what was expected.
import * as v from 'valibot';

/** What was read by a schema. */
export type Read<Schema extends v.GenericSchema> = Frozen<v.InferOutput<Schema>>;

type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;

export const text = v.string('a string');

/** A text of a vocabulary that grows: a file may hold words of later versions. */
export const word = <T extends string>() => text as unknown as v.GenericSchema<T>;

export const flag = v.boolean('true or false');

const finite = <What extends string>(what: What) => v.pipe(v.number(what), v.finite(what));

export const number = finite('a number');

export const numberOrNull = v.nullable(finite('a number or null'));

export const positive = v.pipe(finite('a number above 0'), v.gtValue(0, 'a number above 0'));

/** Infinity in a running program; JSON has none, and a file says null. */
export const numberOrInfinity = numberOrNull as v.GenericSchema as v.GenericSchema<number>;

export const list = <Item extends v.GenericSchema>(item: Item) => v.array(item, 'a list');

const TIMES = 'a list of times above 0';

/** Nanoseconds of samples; never none. */
export const times = v.pipe(v.array(positive, TIMES), v.minLength(1, TIMES));

export const oneOf = <const Words extends readonly string[]>(...words: Words) =>
  v.picklist(words, words.map((name) => `"${name}"`).join(' or '));

/** Values by names that are not known beforehand. */
export const byName = <Value extends v.GenericSchema>(value: Value) =>
  v.record(v.string(), value, 'an object');

/** A field that a result may lack. */
export const maybe = <Value extends v.GenericSchema>(value: Value) => v.exactOptional(value);

export const object = <Fields extends v.ObjectEntries>(fields: Fields) =>
  v.object(fields, missingOr('an object', fields));

export const objectOrNull = <Fields extends v.ObjectEntries>(fields: Fields) =>
  v.nullable(v.object(fields, missingOr('an object or null', fields)));

/** An object that lacks a field is told with the words of that field; `what` is said of a value that is no object. */
function missingOr(what: string, fields: v.ObjectEntries) {
  return (issue: { readonly path?: readonly { readonly key?: unknown }[] | undefined }): string => {
    const name = issue.path?.[0]?.key;
    return typeof name === 'string' ? wordsOf(fields[name] as Worded) : what;
  };
}

interface Worded {
  readonly message?: string | ((issue: object) => string);
  readonly wrapped?: Worded;
}

function wordsOf({ wrapped, message }: Worded): string {
  if (wrapped) return wordsOf(wrapped);
  return typeof message === 'function' ? message({}) : (message ?? 'a value');
}
