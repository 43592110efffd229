// readmeTable.ts: the parts of the README that are made from results: each stands between two comments that say from which.
import { headerLines, noteLines, resultTable } from '../bench/report.ts';
import type { BenchResult, BenchRow } from '../bench/schema.ts';
import { GqaError } from '../src/index.ts';
import { chartFiles } from './charts/specs.ts';
import { RESULTS, type NamedResult } from './resultFiles.ts';

const END = '<!-- end of results -->';

const PART = /^<!-- results: (.*) -->\n(?:[\s\S]*?\n)?<!-- end of results -->$/gm;

/** How a part begins: the file, which of its rows the table shows, and whether charts follow. */
const FORM = 'NAME.json, kv-heads LIST, depth LIST, no charts; made by npm run readme';

const START =
  /^(\S+)\.json(?:, kv-heads ([\d,]+))?(?:, depth ([\d,]+))?(, no charts)?; made by npm run readme$/;

/**
 * The text with all its parts made anew. Throws GqaError for a part that names no result or no rows, and where there is
 * no part at all.
 */
export function withResults(readme: string, results: readonly NamedResult[]): string {
  let parts = 0;
  const text = readme.replace(PART, (_, what: string) => {
    parts++;
    return [`<!-- results: ${what} -->`, '', part(what, results), '', END].join('\n');
  });
  if (parts === 0 || parts !== readme.split('<!-- results: ').length - 1) {
    throw new GqaError(
      'readme',
      `README: expected parts from <!-- results: ${FORM} --> to ${END}, got ${parts} whole ones`,
    );
  }
  return text;
}

function part(what: string, results: readonly NamedResult[]): string {
  const [, name, kvHeads, depths, noCharts] = START.exec(what) ?? [];
  if (name === undefined)
    throw new GqaError('readme', `README: expected "results: ${FORM}", got "results: ${what}"`);
  const found = results.find((each) => each.name === name);
  if (!found) {
    const known = results.map((each) => `${each.name}.json`).join(', ') || 'none';
    throw new GqaError('readme', `README: expected a file of ${RESULTS} (${known}), got "${name}.json"`);
  }
  const text = report(name, found.result, chosen(what, found.result, listed(kvHeads), listed(depths)));
  const charts = noCharts ? [] : chartFiles(name, found.result);
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
    resultTable(shown),
    // Two blanks at a line's end keep it a line of its own.
    [count, ...noteLines(shown)].map((line) => `> ${line}`).join('  \n'),
  ].join('\n\n');
}
