// wholeCsv.ts: a run of whole models as CSV, a line per row.
import { STEP_PARTS } from '../../src/models/decoder/stepParts.ts';
import { wholeShare, wholeTokensPerSecond } from '../schema/rates.ts';
import type { CeilingContext } from '../schema/schema.ts';
import { medianInterval } from '../schema/stats.ts';
import type { WholeResult, WholeRow } from '../schema/wholeSchema.ts';
import { csvField } from './csvReport.ts';

type Value = string | number | null | undefined;
type Field = readonly [name: string, of: (row: WholeRow, ceiling: CeilingContext) => Value];

const param = (name: keyof WholeRow['params']): Field => [name, ({ params }) => params[name]];

/** Times in nanoseconds per step, or of prompts, bytes whole. */
const FIELDS: readonly Field[] = [
  ['id', ({ id }) => id],
  ['variant', ({ variant }) => variant],
  param('model'),
  param('layers'),
  param('heads'),
  param('kvHeads'),
  param('headDim'),
  param('method'),
  param('batch'),
  param('depth'),
  param('prompt'),
  param('kType'),
  param('vType'),
  param('weightType'),
  ['weightBytes', ({ bytes }) => bytes.weights],
  ['kvBytes', ({ bytes }) => bytes.kv],
  ['tokensPerSecond', wholeTokensPerSecond],
  ['medianNs', ({ time }) => time?.median],
  ['ciLowNs', ({ time }) => time && medianInterval(time.samplesNs)?.[0]],
  ['ciHighNs', ({ time }) => time && medianInterval(time.samplesNs)?.[1]],
  ['minNs', ({ time }) => time?.min],
  ['samples', ({ time }) => time?.samplesNs.length],
  ...STEP_PARTS.map((part): Field => [`${part}Ns`, ({ parts }) => parts?.[part].time?.median]),
  ['ceilingShare', (row, ceiling) => wholeShare(ceiling, row)],
  ['dispatches', ({ dispatches }) => dispatches],
  ['recordNs', ({ recordNs }) => recordNs],
  ['maxAbsErr', ({ check }) => check?.maxAbsErr],
  ['bound', ({ check }) => check?.bound],
  ['error', ({ error }) => error],
];

/** One line per row, with a header line. */
export function wholeCsv({ context, results }: WholeResult): string {
  const lines = results.map((row) =>
    FIELDS.map(([, of]) => csvField(of(row, context.ceiling) ?? undefined)).join(','),
  );
  return [FIELDS.map(([name]) => name).join(','), ...lines].join('\n');
}
