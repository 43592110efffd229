// configFields.ts: reading fields of a config.json that must be whole numbers, flags or lists, with messages that name them.
import { describe, isRecord } from '../device/options.ts';
import { ShapeError, wholeText } from '../device/errors.ts';

/** The fields of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** A file: the fields it has itself, the same over the defaults of its model type, and the path that messages name. */
export interface ConfigFile {
  readonly where: string;
  /** Empty where the file names none. */
  readonly modelType: string;
  /** The model type as families/ names it. */
  readonly type: string;
  readonly own: Fields;
  readonly fields: Fields;
  /** Names of fields that a rule has understood, filled in while the file is read. */
  readonly understood: Set<string>;
}

/** A whole number, the field it stood in, and how it was found, for people to read. */
export interface Found {
  readonly name: string;
  readonly value: number;
  readonly note: string;
}

/** `value` as an object with fields; anything else is a ShapeError. */
export function asFields(value: unknown, where: string): Fields {
  if (!isFields(value)) throw new ShapeError(`${where}: expected a JSON object, got ${show(value)}`);
  return value;
}

/** Whether `value` is an object with fields. */
export function isFields(value: unknown): value is Fields {
  return isRecord(value);
}

/** Whether a value is there: neither left out nor null. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** The value under `name`, with the type's default; undefined where it is left out or null. Counts as understood. */
export function field(file: ConfigFile, name: string): unknown {
  file.understood.add(name);
  return file.fields[name] ?? undefined;
}

/** The whole number under the first of `names` that is there, if any. All that are there must agree, else a ShapeError. */
export function optional(
  file: ConfigFile,
  names: readonly string[],
  max: number,
  min = 1,
): Found | undefined {
  const present = names.filter((name) => field(file, name) !== undefined);
  const found = present.map((name) => whole(file, name, min, max));
  const other = found.find(({ value }) => value !== found[0]?.value);
  if (found[0] && other) {
    const [a, b] = [found[0], other];
    throw new ShapeError(
      `${file.where}: ${b.name} expected ${a.value} like ${a.name}, which means the same, got ${b.value}`,
    );
  }
  return found[0];
}

/** As `optional`, but a file that has none of `names` is a ShapeError. */
export function required(file: ConfigFile, names: readonly string[], max: number): Found {
  const found = optional(file, names, max);
  if (!found) throw new ShapeError(`${file.where}: expected a field ${names.join(' or ')}, got none`);
  return found;
}

function whole(file: ConfigFile, name: string, min: number, max: number): Found {
  const value = wholeOf(file.where, name, file.fields[name], min, max);
  return { name, value, note: `${value} ${originOf(file, name)}` };
}

/** Where the value of a field comes from, for people to read. */
export function originOf({ own, modelType }: ConfigFile, name: string): string {
  return isGiven(own[name]) ? `from "${name}"` : `by default of ${modelType} ("${name}" absent)`;
}

/** `value` as a whole number; anything else is a ShapeError that calls it `name`. */
export function wholeOf(where: string, name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new ShapeError(`${where}: ${name} expected ${wholeText(min, max)}, got ${show(value)}`);
  }
  return value;
}

/** The true or false under `name`, if it is there. Anything else is a ShapeError. */
export function flag(file: ConfigFile, name: string): boolean | undefined {
  const value = field(file, name);
  if (value === undefined) return undefined;
  if (typeof value !== 'boolean')
    throw new ShapeError(`${file.where}: ${name} expected true or false, got ${show(value)}`);
  return value;
}

/** The list under `name`, if it is there. With `length`, a list of another length is a ShapeError as well. */
export function listOf(file: ConfigFile, name: string, length?: number): readonly unknown[] | undefined {
  const value = field(file, name);
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || (length !== undefined && value.length !== length)) {
    const expected = length === undefined ? 'a list' : `a list of ${length} (one for each layer)`;
    throw new ShapeError(`${file.where}: ${name} expected ${expected}, got ${show(value)}`);
  }
  return value;
}

/** A value as messages quote it, cut where it is long. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  const text = typeof value === 'object' ? JSON.stringify(value) : describe(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
