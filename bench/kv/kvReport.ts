// kvReport.ts: what `gqa kv` and the page's calculator say about a model's KV cache, as data. Pure.
import type { KvType } from '../../src/numbers/elements.ts';
import type { ConfigShape } from '../../src/models/config.ts';
import { kvRows, storedRows, type KvRow } from '../../src/models/kvBytes.ts';
import type { ModelShape } from '../../src/models/presets.ts';

/** What is asked about a model. */
export interface KvReportRequest {
  /** Tokens in the cache of each sequence, one answer for each. */
  readonly depths: readonly number[];
  readonly batch: number;
  readonly typeK: KvType;
  readonly typeV: KvType;
  /** Memory to fill with sequences. */
  readonly memoryGiB: number;
  /** Memory bandwidth in 10^9 bytes per second, for the read floor. */
  readonly gbps?: number;
}

/** What `gqa kv` says about one model, as `-o json` prints it. Bytes are whole numbers, times are in ms. */
export interface KvReport extends Omit<KvReportRequest, 'depths'> {
  readonly shape: ModelShape;
  /** The rules that gave the shape, for people to read. */
  readonly notes: readonly string[];
  readonly rows: readonly KvRow[];
}

/** The answer for one model. A size past 2^53 bytes is a ShapeError. */
export function kvReport(
  { notes, ...shape }: ConfigShape,
  { depths, ...request }: KvReportRequest,
): KvReport {
  const { batch, memoryGiB, gbps } = request;
  const rows = kvRows(shape, {
    depths,
    batch,
    rowBytes: storedRows(request.typeK, request.typeV),
    memoryBytes: memoryGiB * 2 ** 30,
    ...(gbps !== undefined && { gbps }),
  });
  return { shape, notes, ...request, rows };
}
