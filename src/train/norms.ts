// norms.ts: a norm of rows, forward and backward.
import type { BufferRange } from '../device/buffers.ts';
import {
  normGains,
  normGainsGrid,
  normGainsNumbers,
  normInputs,
  normInputsGrid,
  normInputsNumbers,
  normRows,
  normRowsGrid,
  normRowsNumbers,
  partsOf,
} from '../kernels/train/rows.ts';
import type { NormSpec } from '../models/decoder/spec.ts';
import { inTurn, rangeOfBlock, type Binder, type Recorded } from './binder.ts';
import type { NormBlocks } from './parameters.ts';
import { bindBias, bindSum, type ParameterBuffers } from './products.ts';

/** A norm of rows x to y, [rows, width], and what is kept of it for the backward pass, [rows, 2]. */
export interface NormRows {
  readonly rows: number;
  readonly width: number;
  readonly x: BufferRange;
  readonly y: BufferRange;
  readonly stats: BufferRange;
}

/** y = norm(x). */
export function bindNorm(
  binder: Binder,
  { parameters }: ParameterBuffers,
  { kind, eps }: NormSpec,
  { gains, bias }: NormBlocks,
  { rows, width, x, y, stats }: NormRows,
): Promise<Recorded> {
  return binder.bind({
    kernel: normRows({ norm: kind, bias: bias !== undefined }, binder.facts),
    grid: normRowsGrid(rows, binder.facts),
    numbers: normRowsNumbers({ rows, width, eps }),
    buffers: {
      x,
      gains: rangeOfBlock(parameters, gains),
      ...(bias && { bias: rangeOfBlock(parameters, bias) }),
      y,
      stats,
    },
  });
}

/** Gradients of the gains and the bias, and of x: set, or added to what is there. */
export async function bindNormBack(
  binder: Binder,
  buffers: ParameterBuffers,
  { kind }: NormSpec,
  { gains, bias }: NormBlocks,
  { rows, width, x, stats }: Omit<NormRows, 'y'>,
  { dY, dX, adds }: { readonly dY: BufferRange; readonly dX: BufferRange; readonly adds: boolean },
): Promise<Recorded> {
  const parts = partsOf(rows, binder.facts);
  const gradient = rangeOfBlock(buffers.gradients, gains);
  const sizes = { rows, width, parts };
  const ofGains = await binder.bind({
    kernel: normGains(binder.facts),
    grid: normGainsGrid(sizes, binder.facts),
    numbers: normGainsNumbers(sizes),
    buffers: { x, d_y: dY, stats, d_gains: parts === 1 ? gradient : buffers.parts },
  });
  const ofInputs = await binder.bind({
    kernel: normInputs({ norm: kind, adds }, binder.facts),
    grid: normInputsGrid(rows, binder.facts),
    numbers: normInputsNumbers({ rows, width }),
    buffers: { x, gains: rangeOfBlock(buffers.parameters, gains), d_y: dY, stats, d_x: dX },
  });
  return inTurn([
    ofGains,
    ...(parts === 1 ? [] : [await bindSum(binder, buffers.parts, gradient, parts, width)]),
    ...(bias ? [await bindBias(binder, buffers, bias, { rows, dY, stride: width })] : []),
    ofInputs,
  ]);
}
