// peerTable.ts: the parts of the README that hold a run of several engines: a row for each shape, a column for each engine.
import { formatSignificant, markdownTable, type Column } from '../bench/text/format.ts';
import { peerHeader, ratioToOurs, trainingTable } from '../bench/peers/report.ts';
import type { PeerRow } from '../bench/schema/peerSchema.ts';
import { GqaError } from '../src/index.ts';
import { named, withParts } from './readmeParts.ts';
import type { NamedPeers } from './resultFiles.ts';

const FORM = 'NAME.json, place NAME';

const WHAT = /^(\S+)\.json, place (\w+)$/;

/** The text with all tables of engines made anew. Throws GqaError for a part that names no file or no rows. */
export function withPeers(readme: string, results: readonly NamedPeers[]): string {
  return withParts(readme, { kind: 'peers', form: FORM, make: (what) => part(what, results) });
}

function part(what: string, results: readonly NamedPeers[]): string | undefined {
  const [, name, place] = WHAT.exec(what) ?? [];
  if (name === undefined) return undefined;
  const { result } = named(results, name);
  const rows = result.results.filter((row) => row.place === place && row.engine !== 'plain');
  if (rows.length === 0) throw new GqaError('readme', `README: expected rows of "${what}", found none`);
  const [tool, peers, ...others] = peerHeader(result);
  const places = result.context.places.map(({ name: each }) => each);
  const here = others.filter((line) => places.every((each) => each === place || !line.startsWith(each)));
  return `\`\`\`\n${[tool, peers, ...here].join('\n')}\n\`\`\`\n\n${rows[0]!.params.training ? trainingTable(rows) : table(rows)}`;
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
