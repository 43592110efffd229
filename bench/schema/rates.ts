// rates.ts: bytes per time of a row, and their share of what the device can read.
import type { CeilingContext } from './schema.ts';
import type { StoredRow } from './storedSchema.ts';
import type { WholePart, WholeRow } from './wholeSchema.ts';

/** Decimal GB/s of K and V, each byte counted once. */
export function gbPerSecond(row: StoredRow): number | undefined {
  return row.time ? row.bytes.kvRead / row.time.median : undefined;
}

/** Share of the read ceiling; only a cold row has one. */
export function ceilingShare(ceiling: CeilingContext, row: StoredRow): number | undefined {
  const rate = gbPerSecond(row);
  return rate !== undefined && row.cold ? rate / ceiling.readGBps : undefined;
}

/** Share of the read ceiling at which a whole step reads weights and KV; undefined where it is not cold. */
export function wholeShare(ceiling: CeilingContext, { bytes, time, cold }: WholeRow): number | undefined {
  return time && cold ? (bytes.weights + bytes.kv) / time.median / ceiling.readGBps : undefined;
}

/** Tokens that all sequences of a row of whole models take per second: of a step one each, of prompts all of them. */
export function wholeTokensPerSecond({
  params: { batch, prompt = 1 },
  time,
}: Pick<WholeRow, 'params' | 'time'>): number | undefined {
  return time ? (batch * prompt * 1e9) / time.median : undefined;
}

/** Share of the ceiling of a part of a step, which is repeated alone and has to be cold by itself. */
export function partShare(
  ceiling: CeilingContext,
  { bytes, time }: WholePart,
  coldBytes: number,
): number | undefined {
  return time && bytes >= coldBytes ? bytes / time.median / ceiling.readGBps : undefined;
}
