// why.ts: why a row is not as much faster than multi-head attention as its bytes promise, in one sentence. No DOM.
import { farFromIdeal, partsOf, speedUp } from '../../bench/report/speedUp.ts';
import { formatBytes, formatSignificant } from '../../bench/text/format.ts';
import type { BenchRow, CeilingContext } from '../../bench/schema/schema.ts';

/** Of a row beside the multi-head row of the same run, which is among `rows`. */
export function whySentence(rows: readonly BenchRow[], ceiling: CeilingContext, row: BenchRow): string {
  if (!row.time) return `${headsText(row)}: no time, for ${row.error ?? 'nothing could be measured'}.`;
  const ratio = speedUp(rows, row);
  if (!ratio) return 'There is no time of multi-head attention to compare with.';
  if (ratio.baseline === row) return 'This is multi-head attention, with which the others are compared.';
  const [real, ideal] = [ratio.real, ratio.ideal].map((each) => `${formatSignificant(each, 3)}×`);
  const bytes = `Its keys and values are ${formatBytes(row.bytes.kvRead)} where multi-head attention reads ${formatBytes(ratio.baseline.bytes.kvRead)}`;
  if (!ratio.settled)
    return `${bytes}, which promises ${ideal}; measured was about ${real}, of times that did not settle yet.`;
  if (!row.cold || !ratio.baseline.cold)
    return `${bytes}, which promises ${ideal}; measured was ${real}, but so little may stay in a cache and is not read from memory at all.`;
  if (farFromIdeal([row, ratio.baseline]).length === 0)
    return `${bytes}: the promised ${ideal} is what one gets here, ${real}.`;
  const [own, base] = [partsOf(ceiling, row), partsOf(ceiling, ratio.baseline)];
  return (
    `${bytes}, which promises ${ideal}. It gets ${real}: reading takes ${us(own.reading)} of its ${us(own.total)} at this device's ceiling, ` +
    `and the other ${us(own.rest)} (${us(base.rest)} in multi-head attention) do not shrink with the bytes.`
  );
}

function headsText({ params }: BenchRow): string {
  return `${params.kvHeads} of ${params.heads} KV heads`;
}

function us(ns: number): string {
  return `${formatSignificant(ns / 1000, 3)} µs`;
}
