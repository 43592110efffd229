// configFields.ts: reading fields of a config.json that must be whole numbers or flags, with messages that name them.
import { ShapeError } from '../device/errors.ts';

/** The fields of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** A file: the fields it has itself, the same over the defaults of its model type, and the path that messages name. */
export interface ConfigFile {
  readonly where: string;
  readonly modelType: string;
  readonly own: Fields;
  readonly fields: Fields;
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

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The whole number under the first of `names` that is there, if any. All that are there must agree, else a ShapeError. */
export function optional(
  file: ConfigFile,
  names: readonly string[],
  max: number,
  min = 1,
): Found | undefined {
  const present = names.filter((name) => file.fields[name] !== undefined && file.fields[name] !== null);
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

function whole({ where, own, modelType, fields }: ConfigFile, name: string, min: number, max: number): Found {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new ShapeError(
      `${where}: ${name} expected a whole number from ${min} to ${max}, got ${show(value)}`,
    );
  }
  const origin = name in own ? `from "${name}"` : `by default of ${modelType} ("${name}" absent)`;
  return { name, value, note: `${value} ${origin}` };
}

/** The true or false under `name`, if it is there. Anything else is a ShapeError. */
export function flag({ where, fields }: ConfigFile, name: string): boolean | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'boolean')
    throw new ShapeError(`${where}: ${name} expected true or false, got ${show(value)}`);
  return value;
}

/** A value as messages quote it, cut where it is long. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
