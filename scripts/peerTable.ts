// peerTable.ts: the parts of the README that hold a run of several engines: a row for each shape, a column for each engine.
import { formatSignificant, markdownTable, type Column } from '../bench/format.ts';
import { peerHeader, ratioToOurs } from '../bench/peers/report.ts';
import type { PeerRow } from '../bench/schema.ts';
import { GqaError } from '../src/index.ts';
import { RESULTS, type NamedPeers } from './resultFiles.ts';

const END = '<!-- end of peers -->';

const PART =
  /^<!-- peers: (\S+)\.json, place (\w+); made by npm run readme -->\n(?:[\s\S]*?\n)?<!-- end of peers -->$/gm;

/** The text with all its parts made anew. Throws GqaError for a part that names no file or no rows, or is none. */
export function withPeers(readme: string, results: readonly NamedPeers[]): string {
  let parts = 0;
  const text = readme.replace(PART, (_, name: string, place: string) => {
    parts++;
    const begin = `<!-- peers: ${name}.json, place ${place}; made by npm run readme -->`;
    return [begin, '', part(name, place, results), '', END].join('\n');
  });
  if (parts !== readme.split('<!-- peers: ').length - 1) {
    const form = '<!-- peers: NAME.json, place NAME; made by npm run readme -->';
    throw new GqaError('readme', `README: expected parts from ${form} to ${END}, got ${parts} whole ones`);
  }
  return text;
}

function part(name: string, place: string, results: readonly NamedPeers[]): string {
  const found = results.find((each) => each.name === name);
  const rows = found?.result.results.filter((row) => row.place === place && row.engine !== 'plain') ?? [];
  if (!found || rows.length === 0) {
    const known = results.map((each) => `${each.name}.json`).join(', ') || 'none';
    throw new GqaError(
      'readme',
      `README: expected a file of ${RESULTS} (${known}) with rows of "${place}", got "${name}.json"`,
    );
  }
  const [tool, peers, ...others] = peerHeader(found.result);
  const places = found.result.context.places.map(({ name: each }) => each);
  const here = others.filter((line) => places.every((each) => each === place || !line.startsWith(each)));
  return `\`\`\`\n${[tool, peers, ...here].join('\n')}\n\`\`\`\n\n${table(rows)}`;
}

function table(rows: readonly PeerRow[]): string {
  const engines = [...new Set(rows.map(({ engine }) => engine))];
  const shapes = [...new Set(rows.map(({ id }) => id))];
  const columns: Column[] = [
    { title: 'heads q/kv', align: 'right' },
    { title: 'tokens', align: 'right' },
    { title: 'KV type', align: 'left' },
    ...engines.map((engine): Column => ({ title: `${engine}, ms`, align: 'right' })),
  ];
  return markdownTable(
    columns,
    shapes.map((id) => {
      const ofShape = rows.filter((row) => row.id === id);
      const { heads, kvHeads, depth, type } = ofShape[0]!.params;
      const cells = engines.map((engine) =>
        cell(
          rows,
          ofShape.find((row) => row.engine === engine),
        ),
      );
      return [`${heads}/${kvHeads}`, String(depth), type, ...cells];
    }),
  );
}

/** `23.9 (15.1×)`: the median, and how many times as long as ours. */
function cell(rows: readonly PeerRow[], row: PeerRow | undefined): string {
  if (!row?.time) return 'none';
  const time = formatSignificant(row.time.median / 1e6, 3);
  return row.engine === 'ours' ? time : `${time} (${formatSignificant(ratioToOurs(rows, row)!, 3)}×)`;
}
