// compareKinds.ts: the two kinds of results that can be compared, attention's and whole models', and what tells their rows apart.
import { GqaError } from '../../src/index.ts';
import { ceilingShare, wholeShare } from '../schema/rates.ts';
import type { CeilingContext } from '../schema/schema.ts';
import type { StoredResult, StoredRow } from '../schema/storedSchema.ts';
import { WHOLE_SCHEMA } from '../schema/version.ts';
import type { WholeResult, WholeRow } from '../schema/wholeSchema.ts';
import { warmthOf } from './warmth.ts';

export type ComparedResult = StoredResult | WholeResult;
export type ResultRow = StoredRow | WholeRow;

export function isWholeResult(result: ComparedResult): result is WholeResult {
  return result.schema === WHOLE_SCHEMA;
}

export function isWholeRow(row: ResultRow): row is WholeRow {
  return !('splits' in row);
}

/** What rows of two results are joined by. A whole model's is its folder's own name, its variant, depth and batch. */
export function rowKey(row: ResultRow): string {
  return isWholeRow(row) ? `${folderName(row.params.model)} ${row.id}` : row.id;
}

/** `smollm` of `./models/smollm/`: where a folder lies does not matter. */
function folderName(model: string): string {
  return /([^/\\]+)[/\\]*$/.exec(model)?.[1] ?? model;
}

/** Share of the read ceiling; undefined where a row has none. */
export function shareOf(ceiling: CeilingContext, row: ResultRow): number | undefined {
  return isWholeRow(row) ? wholeShare(ceiling, row) : ceilingShare(ceiling, row);
}

/** Why a row has no share of the ceiling, in a word. */
export function noShareText(row: ResultRow): string {
  if (!isWholeRow(row)) return warmthOf(row);
  return row.params.prompt === undefined ? 'warm' : '';
}

/** Throws GqaError unless both results are of one kind. */
export function checkKinds(
  a: { readonly name: string; readonly result: ComparedResult },
  b: { readonly name: string; readonly result: ComparedResult },
): void {
  if (isWholeResult(a.result) === isWholeResult(b.result)) return;
  const kind = ({ name, result }: typeof a) =>
    `${name} of ${isWholeResult(result) ? 'whole models (gqa bench --whole)' : 'attention alone'}`;
  throw new GqaError('compare', `expected results of one kind, got ${kind(a)} and ${kind(b)}`);
}
