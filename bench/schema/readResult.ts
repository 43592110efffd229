// readResult.ts: a result out of the text of a file, once it is what its schema says.
import * as v from 'valibot';
import { GqaError } from '../../src/index.ts';
import { isRecord } from '../../src/device/options.ts';
import { isaResult, type IsaResult } from './isaSchema.ts';
import { peerResult, type PeerResult } from './peerSchema.ts';
import { reproduceResult, type ReproduceResult } from './reproduceSchema.ts';
import { benchResult, type BenchResult } from './schema.ts';
import { WHOLE_SCHEMA } from './version.ts';
import { wholeResult, type WholeResult } from './wholeSchema.ts';
import { storedResult, type StoredResult } from './storedSchema.ts';

/**
 * Reads a result as `gqa bench` and the page write it; `file` names it in errors. Throws GqaError with what was expected
 * and what was given.
 */
export function parseResult(text: string, file: string): StoredResult {
  return checked(storedResult, parseJson(text, file), file) as StoredResult;
}

/** Reads either kind of result that `gqa compare` takes, told by its schema. Throws as `parseResult`. */
export function parseComparable(text: string, file: string): StoredResult | WholeResult {
  const value = parseJson(text, file);
  const isWhole = isRecord(value) && value['schema'] === WHOLE_SCHEMA;
  return checked(isWhole ? wholeResult : storedResult, value, file) as StoredResult | WholeResult;
}

/** The result, if it is of the suite that this version measures. Throws GqaError. */
export function ofThisSuite(result: StoredResult, file: string): BenchResult {
  return checked(benchResult, result, file) as BenchResult;
}

/** Reads a result of several engines, of the suite that this version measures. Throws GqaError. */
export function parsePeerResult(text: string, file: string): PeerResult {
  return checked(peerResult, parseJson(text, file), file) as PeerResult;
}

/** Reads a result of whole models, of the suite that this version measures. Throws GqaError. */
export function parseWholeResult(text: string, file: string): WholeResult {
  return checked(wholeResult, parseJson(text, file), file) as WholeResult;
}

/** Reads a result of `gqa reproduce`. Throws GqaError. */
export function parseReproduceResult(text: string, file: string): ReproduceResult {
  return checked(reproduceResult, parseJson(text, file), file) as ReproduceResult;
}

/** Reads what compilers say of the kernels. Throws GqaError. */
export function parseIsaResult(text: string, file: string): IsaResult {
  return checked(isaResult, parseJson(text, file), file) as IsaResult;
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const expected = 'expected one result as JSON (gqa bench -o json or --export-json)';
    throw new GqaError('result', `${file}: ${expected}: ${(cause as Error).message}`, { cause });
  }
}

/** The value itself, with whatever later versions have put into it. */
function checked(schema: v.GenericSchema, value: unknown, file: string): unknown {
  const { issues } = v.safeParse(schema, value, { abortEarly: true });
  if (!issues) return value;
  const [{ path = [], message, input }] = issues;
  const where = [
    file,
    ...placeOf(
      path.map(({ key }) => key),
      value,
    ),
  ].join(': ');
  throw new GqaError('result', `${where}: expected ${message}, got ${shown(input)}`);
}

/** Where a field is: in a row, if it is in one, which is told by its id as well. */
function placeOf(path: readonly unknown[], value: unknown): string[] {
  if (path[0] !== 'results' || path.length < 2) return path.length > 0 ? [joined(path)] : [];
  const row = (value as StoredResult).results[path[1] as number];
  const id = typeof row?.id === 'string' ? ` (${row.id})` : '';
  const field = path.slice(2);
  return [`results[${String(path[1])}]${id}`, ...(field.length > 0 ? [joined(field)] : [])];
}

function joined(path: readonly unknown[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
}

const MOST_SHOWN = 60;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}
