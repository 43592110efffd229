// rates.ts: bytes per time of a row, and their share of what the device can read.
import type { CeilingContext } from './schema.ts';
import type { StoredRow } from './storedSchema.ts';

/** Decimal GB/s of K and V, each byte counted once. */
export function gbPerSecond(row: StoredRow): number | undefined {
  return row.time ? row.bytes.kvRead / row.time.median : undefined;
}

/** Share of the read ceiling; only a cold row has one. */
export function ceilingShare(ceiling: CeilingContext, row: StoredRow): number | undefined {
  const rate = gbPerSecond(row);
  return rate !== undefined && row.cold ? rate / ceiling.readGBps : undefined;
}
