// convertText.ts: what `gqa convert` says of a plan and of a result. Pure.
import { formatBytes, markdownTable } from '../../bench/text/format.ts';
import type { ConversionJob } from '../../src/checkpoint/convert/disk/job.ts';
import type { ModelFolder } from '../../src/checkpoint/convert/disk/modelFolder.ts';
import { list } from '../../src/checkpoint/format/checkpointError.ts';
import type { ConversionPlan, TensorPlan } from '../../src/checkpoint/convert/plan.ts';
import { specByteLength } from '../../src/checkpoint/format/safetensors.ts';
import { halves, kvBytesPerToken } from '../../src/models/kvBytes.ts';
import { withKvHeads } from '../../src/models/kvLayers.ts';

/** A tensor of a plan, as `-o json` prints it. */
interface TensorLine {
  readonly name: string;
  readonly shard: string;
  readonly dtype: string;
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly action: string;
}

function lines(model: ModelFolder, { tensors }: ConversionPlan): TensorLine[] {
  return [...tensors.values()].map((planned) => ({
    name: planned.tensor.name,
    shard: model.shardOf.get(planned.tensor.name)!.name,
    dtype: planned.tensor.dtype,
    from: planned.tensor.shape,
    to: planned.to,
    action: actionOf(planned),
  }));
}

function actionOf({ tensor, to, rewrite }: TensorPlan): string {
  if (!rewrite) return 'copied';
  if (to.join() === tensor.shape.join()) return 'heads turned or moved';
  return to.reduce((a, b) => a * b, 1) < tensor.shape.reduce((a, b) => a * b, 1)
    ? 'heads merged'
    : 'heads repeated';
}

/** Sizes before and after. Cache bytes are of decoder self-attention, one token, two-byte elements. */
function sizes({ attention, tensors, options }: ConversionPlan) {
  const cache = (numKvHeads: number) =>
    kvBytesPerToken(withKvHeads(attention.shape.kvLayers, numKvHeads), halves);
  const all = [...tensors.values()];
  const before = all.reduce((sum, { tensor }) => sum + specByteLength(tensor)!, 0);
  const after = all.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    kvHeads: { from: attention.numKvHeads, to: options.kvHeads },
    cacheBytesPerToken: { from: cache(attention.numKvHeads), to: cache(options.kvHeads) },
    tensorBytes: { from: before, to: after },
  };
}

/** The plan as JSON text. */
export function dryRunJson(model: ModelFolder, plan: ConversionPlan): string {
  const { options, attention, notes } = plan;
  return JSON.stringify(
    { family: attention.format.name, options, ...sizes(plan), notes, tensors: lines(model, plan) },
    null,
    2,
  );
}

/** The plan as text: one line for each tensor, then the sizes before and after. */
export function dryRunText(model: ModelFolder, plan: ConversionPlan): string {
  const columns = [
    { title: 'tensor', align: 'left' },
    { title: 'dtype', align: 'left' },
    { title: 'from', align: 'right' },
    { title: 'to', align: 'right' },
    { title: 'what', align: 'left' },
  ] as const;
  const rows = lines(model, plan).map(({ name, dtype, from, to, action }) => [
    name,
    dtype,
    list(from),
    action === 'copied' ? '' : list(to),
    action,
  ]);
  return [
    markdownTable(columns, rows),
    '',
    summary(plan),
    ...plan.notes.map((text) => `note     ${text}`),
  ].join('\n');
}

function summary(plan: ConversionPlan): string {
  const { attention, options } = plan;
  const { kvHeads, cacheBytesPerToken: cache, tensorBytes } = sizes(plan);
  const cross = attention.modules.some(({ kind }) => kind === 'cross')
    ? '; cross-attention keeps as much again for each token of the encoder'
    : '';
  return [
    `heads    ${attention.numQHeads} query heads, KV heads ${kvHeads.from} -> ${kvHeads.to}: query head h reads KV head floor(h / ${attention.numQHeads / options.kvHeads})`,
    `KV cache ${formatBytes(cache.from)} -> ${formatBytes(cache.to)} a token (two-byte elements, ${attention.shape.layers} layers${cross})`,
    `tensors  ${formatBytes(tensorBytes.from)} -> ${formatBytes(tensorBytes.to)}`,
  ].join('\n');
}

/** What is said of a finished conversion. */
export function resultText({ plan, model, out }: ConversionJob): string {
  const rewritten = [...plan.tensors.values()].filter(({ rewrite }) => rewrite).length;
  const copied = plan.tensors.size - rewritten;
  return `${summary(plan)}\n${out} is whole: ${model.shards.length} shards, ${rewritten} tensors rewritten, ${copied} copied, ${model.others.length} other files`;
}
