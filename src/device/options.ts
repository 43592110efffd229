// options.ts: checks of what callers pass, for the errors that types cannot prevent: unknown options, wrong objects.
import { editDistance } from './editDistance.ts';
import { ShapeError, wholeText } from './errors.ts';

/** The names of an interface's fields: `const KNOWN = { a: true, b: true } satisfies Known<Options>`. */
export type Known<T> = { readonly [K in keyof T]-?: true };

/**
 * Throws ShapeError unless `options` is an object whose every field is known. A field that is set to undefined counts as
 * left out, whatever its name.
 */
export function checkOptions(where: string, options: object, known: Readonly<Record<string, true>>): void {
  if (!isRecord(options)) {
    throw new ShapeError(`${where}: expected an object of options, got ${describe(options)}`);
  }
  for (const name in options) {
    const value = options[name];
    if (value === undefined || Object.hasOwn(known, name)) continue;
    const near = nearest(name, Object.keys(known));
    const hint = near ? `; did you mean ${near}?` : `, known are ${Object.keys(known).join(', ')}`;
    throw new ShapeError(`${where}: there is no option ${name}${hint}`);
  }
}

/** Those fields of an object that an interface has, to pass on; inherited ones too, as all else that reads options takes them. */
export function pickKnown<T extends object>(options: T, known: Known<T>): T {
  const names = Object.keys(known) as (keyof T)[];
  return Object.fromEntries(names.map((name) => [name, options[name]])) as T;
}

/** Throws ShapeError unless `value` is of the class. */
export function checkInstance<T>(
  where: string,
  value: T,
  type: abstract new (...args: never[]) => T,
  hint = '',
): void {
  if (value instanceof type) return;
  throw new ShapeError(`${where}: expected a ${type.name}, got ${describe(value)}${hint && `; ${hint}`}`);
}

/** Throws ShapeError unless `value` is a whole number from `min` to `max`. */
export function checkWhole(name: string, value: number, min: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new ShapeError(`${name}: expected ${wholeText(min, max, value)}, got ${describe(value)}`);
  }
}

/** Throws ShapeError unless `value` is an object with a number that is not negative in each field: what `from` gives. */
export function checkNumbers<T extends object>(
  where: string,
  value: T,
  fields: readonly (keyof T & string)[],
  from: string,
): void {
  if (!isObject(value)) throw new ShapeError(`${where}: expected what ${from} gives, got ${describe(value)}`);
  for (const field of fields) {
    const given: unknown = value[field];
    if (typeof given === 'number' && given >= 0) continue;
    throw new ShapeError(
      `${where}: expected what ${from} gives, got ${describe(value)} whose ${field} is ${describe(given)}`,
    );
  }
}

/** Throws ShapeError unless `value` is a list with something in it. */
export function checkList(where: string, value: readonly unknown[]): void {
  if (Array.isArray(value) && value.length > 0) return;
  throw new ShapeError(`${where}: expected a list of at least one, got ${describe(value)}`);
}

/** Throws ShapeError unless `value` is a number that is not NaN or infinite, and at least `min`. */
export function checkFinite(where: string, value: number, min = -Infinity): void {
  if (Number.isFinite(value) && value >= min) return;
  const what = min === -Infinity ? 'a finite number' : `a finite number of at least ${min}`;
  throw new ShapeError(`${where}: expected ${what}, got ${describe(value)}`);
}

/** Throws ShapeError unless `value` is a function. */
export function checkFunction(where: string, value: unknown): void {
  if (typeof value === 'function') return;
  throw new ShapeError(`${where}: expected a function, got ${describe(value)}`);
}

/** Throws ShapeError unless `value` is a string, which may be empty. */
export function checkText(where: string, value: string): void {
  if (typeof value === 'string') return;
  throw new ShapeError(`${where}: expected a string, got ${describe(value)}`);
}

/** Throws ShapeError unless `value` is a string that is not empty. */
export function checkString(where: string, value: string): void {
  if (typeof value === 'string' && value !== '') return;
  throw new ShapeError(`${where}: expected a string that is not empty, got ${describe(value)}`);
}

/** Throws ShapeError unless `value` is one of the names. */
export function checkOneOf<T>(where: string, value: T, known: readonly T[]): void {
  if (known.includes(value)) return;
  throw new ShapeError(`${where} must be one of ${known.join(', ')}, got ${describe(value)}`);
}

/** Throws ShapeError unless `value` is true or false. */
export function checkBoolean(where: string, value: boolean): void {
  if (typeof value !== 'boolean') {
    throw new ShapeError(`${where}: expected true or false, got ${describe(value)}`);
  }
}

/** Names what was given where something else was expected: `"8"`, `NaN`, `an array of 3`, `a GPUDevice`. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (!isObject(value)) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const name = Object.prototype.toString.call(value).slice('[object '.length, -1);
  const type = name === 'Object' ? className(value) : name;
  return type === 'Object' ? 'an object' : `${/^[AEIOU]/.test(type) ? 'an' : 'a'} ${type}`;
}

function className(value: object): string {
  const made = (value as { readonly constructor?: unknown }).constructor;
  return typeof made === 'function' && made.name !== '' ? made.name : 'Object';
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Is it an object of named fields: no array, no map, no promise that was not awaited? */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return isObject(value) && /^\[object (Object|Module)\]$/.test(Object.prototype.toString.call(value));
}

/** Words that other libraries say for what an option here is called. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['dtype', 'kType'],
  ['type', 'kType'],
  ['batchsize', 'batch'],
  ['numheads', 'numQHeads'],
  ['headsize', 'headDim'],
  ['maxlen', 'capacity'],
  ['maxseqlen', 'capacity'],
  ['numlayers', 'layers'],
  ['softmaxscale', 'smScale'],
  ['scale', 'smScale'],
  ['seqlens', 'kvLens'],
  ['kvlen', 'kvLens'],
]);

/** The known option that was meant: the same but for case and underscores, by another name, or one slip away. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = plainName(name);
  const same = known.find((option) => plainName(option) === plain);
  const other = known.find((option) => option === OTHER_NAMES.get(plain));
  return (
    same ?? other ?? known.find((option) => option.length > 2 && editDistance(plainName(option), plain) === 1)
  );
}

function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '');
}
