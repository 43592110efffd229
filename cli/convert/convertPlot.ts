// convertPlot.ts: the report of `gqa convert` as a picture: a map of heads by layer for keys and values, and the outputs.
import { kvHeadsOf, labelOf, type ConvertReport } from './convertReport.ts';
import type { ModuleReport } from '../../src/checkpoint/convert/report.ts';

const CELL = 12;
const GAP = 40;
const LEFT = 70;
const TOP = 78;
const BAR = 120;

/** The report as SVG: one block of panels for each number of KV heads, each row of cells a layer, each column a head. */
export function reportSvg(report: ConvertReport): string {
  const counts = kvHeadsOf(report);
  const perCount = report.modules.length / counts.length;
  const map = report.numKvHeads * CELL;
  const width = LEFT + 2 * map + BAR + 2 * GAP + 60;
  const block = perCount * CELL + TOP + 20;
  const blocks = counts.map((count, i) => {
    const modules = report.modules.filter(({ kvHeads }) => kvHeads === count);
    return `<g transform="translate(0 ${30 + i * block})">${panels(report, modules, count, map)}</g>`;
  });
  const height = 30 + counts.length * block;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11">
<title>What is lost of each head of ${escape(report.source)}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="12" y="22" font-size="14">${escape(report.source)}: ${escape(report.method)}, ${escape(report.grouping)}, judged on ${report.inputs}</text>
${blocks.join('\n')}
</svg>
`;
}

function panels(report: ConvertReport, modules: readonly ModuleReport[], count: number, map: number): string {
  const [keysAt, valuesAt, outputAt] = [LEFT, LEFT + map + GAP, LEFT + 2 * map + 2 * GAP];
  const title = `${report.numKvHeads} → ${count} KV heads, relative error (white 0, dark 100 % and more)`;
  const labels = modules.map((module, row) => text(LEFT - 6, rowAt(row) + CELL - 2, labelOf(module), 'end'));
  return [
    text(12, 28, title, 'start'),
    text(keysAt, TOP - 24, 'keys: head →', 'start'),
    text(valuesAt, TOP - 24, 'values: head →', 'start'),
    text(outputAt, TOP - 24, 'attention output', 'start'),
    text(12, TOP - 24, 'layer ↓', 'start'),
    ...labels,
    ...modules.flatMap(({ keys, values }, row) => [
      ...cells(keysAt, row, keys),
      ...cells(valuesAt, row, values),
    ]),
    ...modules.flatMap(({ output }, row) => bar(outputAt, row, output)),
  ].join('\n');
}

function rowAt(row: number): number {
  return TOP - 14 + row * CELL;
}

function cells(x: number, row: number, errors: readonly number[]): string[] {
  return errors.map(
    (error, head) =>
      `<rect x="${x + head * CELL}" y="${rowAt(row)}" width="${CELL - 1}" height="${CELL - 1}" fill="${color(error)}" stroke="#ccc" stroke-width="0.5"><title>head ${head}: ${percent(error)}</title></rect>`,
  );
}

function bar(x: number, row: number, error: number): string[] {
  const length = Math.min(1, error) * BAR;
  return [
    `<rect x="${x}" y="${rowAt(row)}" width="${length.toFixed(1)}" height="${CELL - 2}" fill="#b2182b"/>`,
    text(x + length + 4, rowAt(row) + CELL - 3, percent(error), 'start'),
  ];
}

/** White at 0 to dark red at 1 and above. */
function color(error: number): string {
  const share = Math.min(1, Math.max(0, error));
  const mix = (from: number, to: number) => Math.round(from + (to - from) * share);
  return `rgb(${mix(255, 103)},${mix(255, 0)},${mix(255, 31)})`;
}

function percent(error: number): string {
  return `${(100 * error).toFixed(1)} %`;
}

function text(x: number, y: number, content: string, anchor: 'start' | 'end'): string {
  return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}">${escape(content)}</text>`;
}

function escape(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
