// head.ts: from the last layer's rows to losses, and the gradients back: the final norm, and logits in as many parts as one binding demands.
import type { BufferRange } from '../device/buffers.ts';
import { rowInvocations, tokenLoss } from '../kernels/model/tokens.ts';
import { crossEntropy, crossEntropyGrid, crossEntropyNumbers } from '../kernels/train/tokens.ts';
import type { NormSpec } from '../models/decoder/spec.ts';
import { inTurn, partOf, type Binder, type Recorded } from './binder.ts';
import { bindNorm, bindNormBack } from './norms.ts';
import type { ParameterLayout } from './parameters.ts';
import { bindForward, bindInputs, bindWeights, type ParameterBuffers } from './products.ts';

/** Bytes of logits at a time: more rows at once would need a larger binding, and gain nothing. */
const LOGIT_BYTES = 2 ** 26;

/** Parts begin at rows whose targets and losses can be bound. */
const ROWS_ALIGNMENT = 64;

/** Rows of logits that are in memory at once. */
export function logitRowsOf(rows: number, stride: number): number {
  const most = Math.max(1, Math.floor(LOGIT_BYTES / 4 / stride / ROWS_ALIGNMENT)) * ROWS_ALIGNMENT;
  return Math.min(rows, most);
}

/** What the head reads and writes. */
export interface HeadRows {
  /** The last layer's output, [M, d]. */
  readonly x: BufferRange;
  /** Behind the final norm, [M, d], and the norm's numbers. */
  readonly normed: BufferRange;
  readonly stats: BufferRange;
  /** Logits of a part of the rows, [., vocabulary], which become their gradients. */
  readonly logits: BufferRange;
  /** u32 [M] */
  readonly targets: BufferRange;
  /** [M] */
  readonly losses: BufferRange;
}

export interface HeadParts {
  readonly binder: Binder;
  readonly buffers: ParameterBuffers;
  readonly layout: ParameterLayout;
  readonly finalNorm: NormSpec;
  readonly vocabSize: number;
  readonly rows: number;
  readonly width: number;
}

/** A part of the rows. */
interface Part {
  readonly first: number;
  readonly count: number;
}

/** The model whose logits another one learns. */
export interface Teacher {
  readonly logits: BufferRange;
  /** Records its logits of a part of the rows, by the part's number. */
  recordLogits(pass: GPUComputePassEncoder, part: number): void;
}

/** A model's head, bound. */
export interface BoundHead {
  /** The final norm. */
  readonly norm: Recorded;
  /** Of each part of the rows. */
  readonly logits: readonly Recorded[];
  /** Losses of each row, without gradients. */
  readonly losses: Recorded;
  /** Losses of each row, gradients of the head, of the final norm, and of the last layer's output in `dX`. */
  readonly back: Recorded;
}

/** Binds it. `dNormed` and `dX`, [M, d], are left out where there is no backward pass. */
export async function bindHead(
  parts: HeadParts,
  kept: HeadRows,
  gradients?: { readonly dNormed: BufferRange; readonly dX: BufferRange },
  teacher?: Teacher,
): Promise<BoundHead> {
  const { binder, buffers, layout, finalNorm, rows, width } = parts;
  const norm = await bindNorm(binder, buffers, finalNorm, layout.finalNorm, {
    rows,
    width,
    x: kept.x,
    y: kept.normed,
    stats: kept.stats,
  });
  const all = rowParts(rows, layout.head.rows);
  const logits = await Promise.all(all.map((part) => bindLogits(parts, kept, part)));
  const losses = await Promise.all(all.map((part) => bindLosses(parts, kept, part)));
  const back = gradients ? await bindBack(parts, kept, gradients, all, logits, teacher) : () => undefined;
  return { norm, logits, losses: inTurn(all.flatMap((_, i) => [logits[i]!, losses[i]!])), back };
}

function rowParts(rows: number, stride: number): Part[] {
  const most = logitRowsOf(rows, stride);
  return Array.from({ length: Math.ceil(rows / most) }, (_, i) => ({
    first: i * most,
    count: Math.min(most, rows - i * most),
  }));
}

function bindLogits(
  { binder, buffers, layout: { head }, width }: HeadParts,
  { normed, logits }: HeadRows,
  { first, count }: Part,
): Promise<Recorded> {
  const x = partOf(normed, first * width, count * width);
  return bindForward(
    binder,
    buffers,
    { weights: head },
    { rows: count, x, y: partOf(logits, 0, count * head.rows) },
  );
}

function bindLosses(
  { binder, layout: { head }, vocabSize }: HeadParts,
  { logits, targets, losses }: HeadRows,
  { first, count }: Part,
): Promise<Recorded> {
  return binder.bind({
    kernel: tokenLoss({ vocab: vocabSize, stride: head.rows }, rowInvocations(binder.facts)),
    grid: [count, 1, 1],
    buffers: {
      logits: partOf(logits, 0, count * head.rows),
      targets: partOf(targets, first, count),
      losses: partOf(losses, first, count),
    },
  });
}

async function bindBack(
  parts: HeadParts,
  kept: HeadRows,
  { dNormed, dX }: { readonly dNormed: BufferRange; readonly dX: BufferRange },
  all: readonly Part[],
  logits: readonly Recorded[],
  teacher: Teacher | undefined,
): Promise<Recorded> {
  const { binder, buffers, layout, finalNorm, rows, width } = parts;
  const { head } = layout;
  const backs = await Promise.all(
    all.map(async (part, i) => {
      const { first, count } = part;
      const dY = partOf(kept.logits, 0, count * head.rows);
      const x = partOf(kept.normed, first * width, count * width);
      const dPart = partOf(dNormed, first * width, count * width);
      return inTurn([
        ...(teacher ? [(pass: GPUComputePassEncoder) => teacher.recordLogits(pass, i)] : []),
        logits[i]!,
        await bindCrossEntropy(parts, kept, part, teacher),
        await bindWeights(binder, buffers, head, { rows: count, dY, x }, i > 0),
        await bindInputs(binder, buffers, head, { rows: count, dY, dX: dPart }),
      ]);
    }),
  );
  const normBack = await bindNormBack(
    binder,
    buffers,
    finalNorm,
    layout.finalNorm,
    { rows, width, x: kept.x, stats: kept.stats },
    { dY: dNormed, dX, adds: false },
  );
  return inTurn([...backs, normBack]);
}

/** The mean is over all rows of a pass, not of a part. */
function bindCrossEntropy(
  { binder, layout: { head }, vocabSize, rows }: HeadParts,
  { logits, targets, losses }: HeadRows,
  { first, count }: Part,
  teacher: Teacher | undefined,
): Promise<Recorded> {
  const sizes = { rows: count, vocab: vocabSize, stride: head.rows, scale: 1 / rows };
  return binder.bind({
    kernel: crossEntropy({ teacher: teacher !== undefined }, binder.facts),
    grid: crossEntropyGrid({ rows: count }, binder.facts),
    numbers: crossEntropyNumbers(sizes),
    buffers: {
      logits: partOf(logits, 0, count * head.rows),
      losses: partOf(losses, first, count),
      ...(teacher
        ? { teacher: partOf(teacher.logits, 0, count * head.rows) }
        : { targets: partOf(targets, first, count) }),
    },
  });
}
