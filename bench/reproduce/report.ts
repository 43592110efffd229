// report.ts: the paper's figures 4, 5 and 6 as tables.
import type { ReproduceResult } from '../schema/reproduceSchema.ts';
import { formatBytes, formatSignificant, markdownTable, plural } from '../text/format.ts';
import { controlLosses, linesOf, mainAlpha, originalLoss, type Spread } from './figures.ts';

/** All three, each with what it is. */
export function reproduceReport(result: ReproduceResult): string {
  return [
    figure4(result),
    figure5(result),
    ...(result.decode ? [figure6(result)] : []),
    note(result),
    '',
  ].join('\n\n');
}

/** A conversion is judged by what it costs after the same further training. */
function figure4(result: ReproduceResult): string {
  const alpha = mainAlpha(result);
  const lines = linesOf(result);
  const heads = [...new Set(lines.map(({ kvHeads }) => kvHeads))];
  const methods = [...new Set(lines.map(({ method }) => method))];
  const cells = methods.map((method) => [
    method,
    ...heads.map((count) => {
      const line = lines.find((each) => each.method === method && each.kvHeads === count)!;
      return shown(line.points.find((point) => point.alpha === alpha)!);
    }),
  ]);
  const columns = [left('method'), ...heads.map((count) => right(plural(count, 'KV head')))];
  const control = controlLosses(result).find((point) => point.alpha === alpha)!;
  return `Figure 4: nats a token after ${percent(alpha)} of the steps, by method; the multi-head model trained on as long: ${shown(control)}\n\n${markdownTable(columns, cells)}`;
}

/** More training makes up for more of what was lost. */
function figure5(result: ReproduceResult): string {
  const columns = [left('model'), ...result.params.alphas.map((alpha) => right(percent(alpha)))];
  const control = ['multi-head', ...controlLosses(result).map(shown)];
  const cells = linesOf(result).map(({ kvHeads, method, points }) => [
    `${plural(kvHeads, 'KV head')} (${method})`,
    ...points.map(shown),
  ]);
  const original = shown(originalLoss(result));
  return `Figure 5: nats a token by share of the original steps; the multi-head model before: ${original}\n\n${markdownTable(columns, [control, ...cells])}`;
}

/** The fewer heads, the less a step reads. */
function figure6({ decode = [] }: ReproduceResult): string {
  const columns = [right('KV heads'), right('KV bytes read'), right('µs a decode step')];
  const cells = decode.map(({ kvHeads, kvBytes, stepNs }) => [
    String(kvHeads),
    formatBytes(kvBytes),
    stepNs === null ? 'not timed' : formatSignificant(stepNs / 1000, 4),
  ]);
  return `Figure 6: time of a decode step over ${decode[0]!.depth} tokens, by KV heads\n\n${markdownTable(columns, cells)}`;
}

function note({ context, params, runs }: ReproduceResult): string {
  const { layers, dim, heads } = params.model;
  const seeds = runs.map(({ seed }) => seed).join(', ');
  const software = context.software ? ', a software adapter' : '';
  return [
    `size ${params.size}: ${plural(layers, 'layer')} of ${dim}, ${heads} heads, ${params.steps} steps of ${params.batch} x ${params.context} tokens; ${params.text}`,
    `seeds ${seeds}: means, and in brackets the least and the most; on "${context.adapter}"${software}`,
  ].join('\n');
}

function shown({ mean, least, most }: Spread): string {
  if (least === most) return mean.toFixed(3);
  return `${mean.toFixed(3)} (${least.toFixed(3)} to ${most.toFixed(3)})`;
}

function percent(alpha: number): string {
  return `${formatSignificant(100 * alpha, 2)} %`;
}

function left(title: string) {
  return { title, align: 'left' } as const;
}

function right(title: string) {
  return { title, align: 'right' } as const;
}
