// readmeTable.ts: the parts of the README that hold results of the benchmark.
import { headerLines, noteLines, resultTable } from '../bench/report/report.ts';
import type { BenchResult, BenchRow } from '../bench/schema/schema.ts';
import { GqaError } from '../src/index.ts';
import { chartFiles } from './charts/specs.ts';
import { named, withParts } from './readmeParts.ts';
import { RESULTS, type NamedResult } from './resultFiles.ts';

/** What a part names: the file, which of its rows the table shows, and whether charts follow. */
const FORM = 'NAME.json, kv-heads LIST, depth LIST, no charts';

const WHAT = /^(\S+)\.json(?:, kv-heads ([\d,]+))?(?:, depth ([\d,]+))?(, no charts)?$/;

/** The text with all tables of results made anew. Throws GqaError for a part that names no result or no rows. */
export function withResults(readme: string, results: readonly NamedResult[]): string {
  return withParts(readme, { kind: 'results', form: FORM, make: (what) => part(what, results) });
}

function part(what: string, results: readonly NamedResult[]): string | undefined {
  const [, name, kvHeads, depths, noCharts] = WHAT.exec(what) ?? [];
  if (name === undefined) return undefined;
  const { result } = named(results, name);
  const text = report(name, result, chosen(what, result, listed(kvHeads), listed(depths)));
  const charts = noCharts ? [] : chartFiles(name, result);
  return [text, ...charts.map(({ title, file }) => `![${title}](${RESULTS}/${file})`)].join('\n\n');
}

function listed(text: string | undefined): number[] | undefined {
  return text?.split(',').map(Number);
}

function chosen(
  what: string,
  { results }: BenchResult,
  kvHeads: readonly number[] | undefined,
  depths: readonly number[] | undefined,
): BenchRow[] {
  const rows = results.filter(
    ({ params }) => (kvHeads?.includes(params.kvHeads) ?? true) && (depths?.includes(params.depth) ?? true),
  );
  if (rows.length === 0) throw new GqaError('readme', `README: expected rows of "${what}", found none`);
  return rows;
}

/** Header, table and notes. */
function report(name: string, result: BenchResult, rows: readonly BenchRow[]): string {
  const shown = { ...result, results: rows };
  const count = `${rows.length} of the ${result.results.length} rows of \`${RESULTS}/${name}.json\`.`;
  return [
    `\`\`\`\n${headerLines(shown).join('\n')}\n\`\`\``,
    resultTable(result, rows),
    // Two blanks at a line's end keep it a line of its own.
    [count, ...noteLines(result, rows)].map((line) => `> ${line}`).join('  \n'),
  ].join('\n\n');
}
