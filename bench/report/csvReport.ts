// csvReport.ts: a result as CSV, a line per row.
import { kernelCell, worstCheck } from './report.ts';
import { costOf, tokensPerSecond } from './costs.ts';
import { ceilingShare, gbPerSecond } from '../schema/rates.ts';
import type { BenchResult } from '../schema/schema.ts';
import { speedUp } from './speedUp.ts';
import { sampleCount, timeInterval } from '../schema/samples.ts';
import { median } from '../schema/stats.ts';

const CSV_COLUMNS =
  'id,variant,model,heads,kvHeads,headDim,batch,depth,requests,prompt,capacity,pageSize,window,positions,append,features,sharedPrefix,cascade,kType,vType,kernel,sizes,splits,kvRead,medianNs,wallNs,planNs,recordNs,ciLowNs,ciHighNs,minNs,samples,GBps,ceilingShare,speedUp,ideal,tokensPerSecond,vsStandard,maxAbsErr,bound,error';

/** One line per row, with a header line; times in nanoseconds, bytes whole. */
export function csvReport(result: BenchResult): string {
  const lines = result.results.map((row) => {
    const p = row.params;
    // Columns have no place for the table's mark of a speed-up that is only roughly known.
    const speedUps = speedUp(result.results, row);
    const ratio = speedUps?.settled ? speedUps : undefined;
    const interval = row.time && timeInterval(row.time);
    const fields = [
      row.id,
      row.variant,
      p.model,
      p.heads,
      p.kvHeads,
      p.headDim,
      p.batch,
      p.depth,
      p.requests,
      p.prompt,
      p.capacity,
      p.pageSize,
      p.window,
      p.positions,
      p.append ? 'yes' : undefined,
      p.features?.join('+'),
      p.sharedPrefix,
      p.cascade ? 'yes' : undefined,
      p.kType,
      p.vType,
      kernelCell(row),
      row.sizes,
      row.splits,
      row.bytes.kvRead,
      row.time?.median,
      row.time ? median(row.time.wallNs) : undefined,
      row.host?.planNs ?? undefined,
      row.host?.recordNs ?? undefined,
      interval?.[0],
      interval?.[1],
      row.time?.min,
      row.time ? sampleCount(row.time) : undefined,
      gbPerSecond(row),
      ceilingShare(result.context.ceiling, row),
      ratio?.real,
      ratio?.ideal,
      tokensPerSecond(row),
      costOf(result.results, row)?.ratio,
      row.check ? worstCheck(row) : undefined,
      row.check?.bound,
      row.error,
    ];
    return fields.map((field) => csvField(field)).join(',');
  });
  return [CSV_COLUMNS, ...lines].join('\n');
}

/** A field of a line: quoted where it has to be, empty for what is not there. */
export function csvField(value: string | number | undefined): string {
  const text = value === undefined ? '' : String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
