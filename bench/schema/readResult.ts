// readResult.ts: a result out of the text of a file, once everything is there that readers of times rely on.
import { GqaError } from '../../src/index.ts';
import { SCHEMA, SUITE, type BenchContext, type BenchResult } from './schema.ts';

/** A result as a file holds it: perhaps of another suite, whose context may lack what later ones have. */
export interface StoredResult extends Omit<BenchResult, 'suite' | 'context'> {
  readonly suite: string;
  readonly context: StoredContext;
}

type Later = 'host' | 'coldBytes';

export type StoredContext = Omit<BenchContext, Later> & Partial<Pick<BenchContext, Later>>;

/**
 * Reads a result as `gqa bench` and the page write it; `file` names it in errors. Throws GqaError with what was expected
 * and what was given.
 */
export function parseResult(text: string, file: string): StoredResult {
  const value = parseJson(text, file);
  expectField(value, file, 'schema', [`"${SCHEMA}"`, (schema) => schema === SCHEMA]);
  expectFields(value, file, RESULT);
  const result = value as StoredResult;
  result.results.forEach((row, i) => {
    expectFields(row, `${file}: results[${i}]`, ROW);
    if (row.time) expectFields(row.time, `${file}: ${row.id}: time`, TIME);
    if (row.check) expectFields(row.check, `${file}: ${row.id}: check`, CHECK);
  });
  return result;
}

/** The result, if it is of the suite that this version measures. Throws GqaError. */
export function ofThisSuite(result: StoredResult, file: string): BenchResult {
  expectField(result, file, 'suite', [`"${SUITE}"`, (suite) => suite === SUITE]);
  return result as BenchResult;
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const expected = 'expected one result as JSON (gqa bench -o json or --export-json)';
    throw new GqaError('result', `${file}: ${expected}: ${(cause as Error).message}`, { cause });
  }
}

type Expectation = readonly [what: string, holds: (value: unknown) => boolean];

const TEXT: Expectation = ['a text', (value) => typeof value === 'string'];
const FLAG: Expectation = ['true or false', (value) => typeof value === 'boolean'];
const NUMBER: Expectation = ['a number', Number.isFinite];
const POSITIVE: Expectation = ['a number above 0', isPositive];
const LIST: Expectation = ['a list', Array.isArray];
const OBJECT: Expectation = ['an object', isObject];
const OBJECT_OR_NULL: Expectation = ['an object or null', (value) => value === null || isObject(value)];
const TIMES: Expectation = [
  'a list of times above 0',
  (value) => Array.isArray(value) && value.length > 0 && value.every(isPositive),
];

const RESULT: Readonly<Record<string, Expectation>> = {
  suite: TEXT,
  'context.date': TEXT,
  'context.tool.name': TEXT,
  'context.tool.version': TEXT,
  'context.runtime.kind': TEXT,
  'context.runtime.version': TEXT,
  'context.adapter.vendor': TEXT,
  'context.adapter.architecture': TEXT,
  'context.adapter.device': TEXT,
  'context.adapter.description': TEXT,
  'context.adapter.software': FLAG,
  'context.adapter.subgroupMinSize': NUMBER,
  'context.adapter.subgroupMaxSize': NUMBER,
  'context.features': LIST,
  'context.timer.source': TEXT,
  'context.timer.stepNs': POSITIVE,
  'context.ceiling.readGBps': POSITIVE,
  'context.seed': NUMBER,
  'context.nonStandard': OBJECT,
  'context.warnings': LIST,
  results: LIST,
};

const ROW: Readonly<Record<string, Expectation>> = {
  id: TEXT,
  test: TEXT,
  variant: TEXT,
  'params.heads': POSITIVE,
  'params.kvHeads': POSITIVE,
  'params.headDim': POSITIVE,
  'params.batch': POSITIVE,
  'params.depth': POSITIVE,
  'params.kType': TEXT,
  'params.vType': TEXT,
  'params.kernel': TEXT,
  'bytes.kvRead': NUMBER,
  cold: FLAG,
  check: OBJECT_OR_NULL,
  time: OBJECT_OR_NULL,
  warnings: LIST,
};

const TIME: Readonly<Record<string, Expectation>> = { samplesNs: TIMES };

const CHECK: Readonly<Record<string, Expectation>> = { pass: FLAG };

function expectFields(value: unknown, where: string, fields: Readonly<Record<string, Expectation>>): void {
  for (const [path, expectation] of Object.entries(fields)) expectField(value, where, path, expectation);
}

function expectField(value: unknown, where: string, path: string, [what, holds]: Expectation): void {
  let found = value;
  for (const name of path.split('.')) found = isObject(found) ? found[name] : undefined;
  if (!holds(found)) throw new GqaError('result', `${where}: ${path}: expected ${what}, got ${shown(found)}`);
}

const MOST_SHOWN = 60;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}
