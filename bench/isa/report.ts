// report.ts: a result as people read it: what compiled what, a line for each family, a line for each pipeline, the peer.
import { variantName } from '../../src/kernels/fused.ts';
import { markdownTable, plural, type Column } from '../text/format.ts';
import { OUR_ENGINE, type IsaFamily, type IsaResult, type IsaRow } from '../schema/isaSchema.ts';
import { instructionsPerKey, instructionsPerMad } from './figures.ts';
import { peerTable } from './peer/peerTable.ts';
import { spilled } from './statistics.ts';

/** The result as a file: a line for each row, so that a diff shows which kernels changed. */
export function isaJson({ schema, context, results, refused }: IsaResult): string {
  const lines = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).join(',\n');
  const head = JSON.stringify({ schema, context }, null, 2).slice(0, -2);
  return `${head},\n"results": [\n${lines(results)}\n],\n"refused": [\n${lines(refused)}\n]}\n`;
}

/** Everything a person reads. */
export function isaReport(result: IsaResult): string {
  const { refused } = result;
  const parts = [isaHeader(result), familyTable(result), pipelineTable(result, ourRows(result))];
  const peer = peerTable(result);
  if (peer) parts.push(peer);
  if (refused.length > 0) {
    parts.push(refused.map(({ family, id, why }) => `refused  ${family} ${id}: ${why}`).join('  \n'));
  }
  return parts.join('\n\n');
}

/** The pipelines of this project. */
export function ourRows({ results }: IsaResult): IsaRow[] {
  return results.filter(({ engine }) => engine === OUR_ENGINE);
}

/** The lines above the tables. */
export function isaHeader({ context }: IsaResult): string {
  const { tool, runtime, mesa, families, nonStandard } = context;
  const compilers = [...new Set(families.map(({ compiler }) => compiler))].join(', ');
  const changed = Object.entries(nonStandard).map(([name, value]) => `--${name} ${value}`);
  return [
    `${tool.name} ${tool.version}${tool.commit ? ` (${tool.commit})` : ''}`,
    `compiled by ${compilers} of Mesa ${mesa}, from what ${runtime.webgpu ?? runtime.kind} makes of the WGSL`,
    ...(changed.length > 0 ? [`not the standard run: ${changed.join(' ')}`] : []),
  ].join('  \n');
}

const FAMILY_COLUMNS: readonly Column[] = [
  { title: 'family', align: 'left' },
  { title: 'GPU', align: 'left' },
  { title: 'compiler', align: 'left' },
  { title: 'pipelines', align: 'right' },
  { title: 'spilling', align: 'right' },
  { title: 'most registers', align: 'right' },
  { title: 'least resident', align: 'right' },
];

/** A line for each family: how many of our pipelines spill, and the worst of the others. */
export function familyTable(result: IsaResult): string {
  const ours = ourRows(result);
  return markdownTable(
    FAMILY_COLUMNS,
    result.context.families.map((family) => {
      const rows = ours.filter((row) => row.family === family.name);
      const resident = Math.min(...rows.map((row) => row.resident ?? Number.POSITIVE_INFINITY));
      return [
        family.name,
        family.gpu,
        family.compiler,
        String(rows.length),
        String(rows.filter(spilled).length),
        String(Math.max(...rows.map(({ registers }) => registers))),
        residentCell(family, Number.isFinite(resident) ? resident : undefined),
      ];
    }),
  );
}

const PIPELINE_COLUMNS: readonly Column[] = [
  { title: 'family', align: 'left' },
  { title: 'steps', align: 'left' },
  { title: 'kernel', align: 'left' },
  { title: 'subgroup', align: 'right' },
  { title: 'instructions', align: 'right' },
  { title: 'registers', align: 'right' },
  { title: 'spills', align: 'right' },
  { title: 'private bytes', align: 'right' },
  { title: 'resident', align: 'right' },
  { title: 'loop', align: 'right' },
  { title: 'per mad', align: 'right' },
  { title: 'per key', align: 'right' },
  { title: 'bytes in flight', align: 'right' },
  { title: 'drains', align: 'right' },
  { title: 'scratch', align: 'right' },
  { title: 'LDS shuffles', align: 'right' },
];

/** A line for each of these pipelines. */
export function pipelineTable({ context }: IsaResult, rows: readonly IsaRow[]): string {
  const families = new Map(context.families.map((family) => [family.name, family]));
  return markdownTable(
    PIPELINE_COLUMNS,
    rows.map((row) => [
      row.family,
      stepsCell(row),
      row.variant ? variantName(row.variant) : row.kernel,
      String(row.subgroupSize),
      String(row.instructions),
      String(row.registers),
      spillsCell(row),
      text(row.privateBytes),
      residentCell(families.get(row.family)!, row.resident),
      ...loopCells(row),
    ]),
  );
}

function text(value: number | undefined): string {
  return value === undefined ? '' : String(value);
}

/** The first step that uses a pipeline, and how many more do. */
function stepsCell({ cases: [first = '', ...others] }: IsaRow): string {
  return others.length > 0 ? `${first} and ${plural(others.length, 'other')}` : first;
}

function spillsCell({ spills, fills }: IsaRow): string {
  return fills === undefined ? text(spills) : `${text(spills)} : ${fills}`;
}

/** As in `8 of 16`; nothing where registers do not bound it. */
function residentCell({ mostResident }: IsaFamily, resident: number | undefined): string {
  return resident === undefined ? '' : `${resident} of ${mostResident}`;
}

function loopCells({ loop, ...row }: IsaRow): string[] {
  if (!loop) return ['', '', '', '', '', '', ''];
  const perMad = instructionsPerMad({ loop, ...row });
  const perKey = instructionsPerKey({ loop, ...row });
  return [
    String(loop.instructions),
    perMad === undefined ? '' : perMad.toFixed(2),
    perKey === undefined ? '' : perKey.toFixed(1),
    String(loop.inFlight),
    String(loop.drains),
    String(loop.scratch),
    text(loop.ldsShuffles),
  ];
}
