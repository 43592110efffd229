// matmul.ts: the three products of matrices that training a layer takes (shaders/train/matmul_direct.wgsl, matmul_staged.wgsl).
import biasAdded from '../../../shaders/lib/train/matmul_bias_added.wgsl?raw';
import biasNone from '../../../shaders/lib/train/matmul_bias_none.wgsl?raw';
import finish from '../../../shaders/lib/train/matmul_finish.wgsl?raw';
import ofInputs from '../../../shaders/lib/train/matmul_inputs.wgsl?raw';
import leftColumns from '../../../shaders/lib/train/matmul_left_columns.wgsl?raw';
import leftRows from '../../../shaders/lib/train/matmul_left_rows.wgsl?raw';
import numbersLib from '../../../shaders/lib/train/matmul_numbers.wgsl?raw';
import ofOutputs from '../../../shaders/lib/train/matmul_outputs.wgsl?raw';
import residualAdded from '../../../shaders/lib/train/matmul_residual_added.wgsl?raw';
import residualNone from '../../../shaders/lib/train/matmul_residual_none.wgsl?raw';
import rightColumns from '../../../shaders/lib/train/matmul_right_columns.wgsl?raw';
import rightRows from '../../../shaders/lib/train/matmul_right_rows.wgsl?raw';
import blockColumns from '../../../shaders/lib/train/matmul_block_columns.wgsl?raw';
import blockRows from '../../../shaders/lib/train/matmul_block_rows.wgsl?raw';
import ofWeights from '../../../shaders/lib/train/matmul_weights.wgsl?raw';
import writeAdded from '../../../shaders/lib/train/matmul_write_added.wgsl?raw';
import writeSet from '../../../shaders/lib/train/matmul_write_set.wgsl?raw';
import directSource from '../../../shaders/train/matmul_direct.wgsl?raw';
import stagedSource from '../../../shaders/train/matmul_staged.wgsl?raw';
import type { DeviceFacts } from '../../device/deviceFacts.ts';
import { ShapeError } from '../../device/errors.ts';
import { checkWhole } from '../../device/options.ts';
import { link, qualified } from '../../device/wgsl.ts';
import type { Grid, Kernel } from '../kernel.ts';
import { numbersOf } from './numbers.ts';

/**
 * What is computed, of activations [rows, inputs], gradients [rows, outputs] and weights [outputs, inputs], all f32:
 * - `outputs`: y [rows, outputs] = a [rows, inputs] times b [outputs, inputs] transposed;
 * - `inputs`: y [rows, inputs] = a [rows, outputs] times b [outputs, inputs];
 * - `weights`: y [parts, outputs, inputs] = a [rows, outputs] transposed times b [rows, inputs], part p over its share of the rows.
 */
export type MatmulForm = 'outputs' | 'inputs' | 'weights';

/** A product, and what happens to its sums. */
export interface MatmulKind {
  readonly form: MatmulForm;
  /** Adds `bias`, a number for each column of y. Default false. */
  readonly bias?: boolean;
  /** Adds `residual`, of y's shape. Default false. */
  readonly residual?: boolean;
  /** Adds to what is in y; there is one part then. Default false: y is written. */
  readonly accumulates?: boolean;
}

/** Sizes of a product: `inputs` and `outputs` are multiples of 4. */
export interface MatmulSizes {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Parts that the rows are dealt out to, for the form `weights`. Default 1. */
  readonly parts?: number;
}

type Facts = Pick<DeviceFacts, 'software'>;

/** A CPU's workgroup is one subgroup, or two; larger tiles take its compilers long, and gain little (bench/NOTES.md). */
const DIRECT = { WG_SIZE: 8, ROWS: 8, ROW_FOURS: 2, FOURS: 2 } as const;

/** 64 invocations with 4 by 4 numbers each: few registers on any GPU, and enough workgroups where matrices are small. */
const STAGED = { LANES: 8 } as const;

/** How the factors lie: whether a row of it holds the terms of one row or column of y, or one term of them all. */
const FORMS = {
  outputs: { sizes: ofOutputs, left: 'rows', right: 'rows' },
  inputs: { sizes: ofInputs, left: 'rows', right: 'columns' },
  weights: { sizes: ofWeights, left: 'columns', right: 'columns' },
} as const;

const LEFT = { rows: leftRows, columns: leftColumns } as const;
const RIGHT = { rows: rightRows, columns: rightColumns } as const;
const BLOCKS = { rows: blockRows, columns: blockColumns } as const;

/** The linked kernel. Its bindings: a, b, bias and residual where they are added, y, numbers. */
export function matmul(kind: MatmulKind, { software }: Facts): Kernel {
  const { sizes, left, right } = FORMS[kind.form];
  const shared = [
    numbersLib,
    sizes,
    finish,
    kind.bias ? biasAdded : biasNone,
    kind.residual ? residualAdded : residualNone,
    kind.accumulates ? writeAdded : writeSet,
  ];
  if (software) {
    const libs = [...shared, LEFT[left], RIGHT[right]];
    return { name: 'matmul_direct', source: link({ kernel: directSource, libs, consts: DIRECT }) };
  }
  const libs = [
    ...shared,
    qualified('left', BLOCKS[left], ['load']),
    qualified('right', BLOCKS[right], ['load']),
  ];
  return { name: 'matmul_staged', source: link({ kernel: stagedSource, libs, consts: STAGED }) };
}

const pack = numbersOf(numbersLib, 'MatmulNumbers', {
  rows: 'u32',
  inputs: 'u32',
  outputs: 'u32',
  share: 'u32',
});

/** The words of the `numbers` binding. */
export function matmulNumbers({ rows, inputs, outputs, parts = 1 }: MatmulSizes): Uint32Array<ArrayBuffer> {
  return pack({ rows, inputs, outputs, share: Math.ceil(rows / parts) });
}

/** Most workgroups that every device allows in a dimension. */
const MOST = 65535;

/** Workgroups for such sizes. Throws ShapeError for sizes that the kernel does not compute. */
export function matmulGrid(kind: MatmulKind, sizes: MatmulSizes, facts: Facts): Grid {
  const { parts = 1 } = sizes;
  checkWhole('matmul: rows', sizes.rows, 1, 2 ** 32 - 1);
  checkWhole('matmul: inputs / 4', sizes.inputs / 4, 1, 2 ** 29 - 1);
  checkWhole('matmul: outputs / 4', sizes.outputs / 4, 1, 2 ** 29 - 1);
  checkWhole('matmul: parts', parts, 1, MOST);
  if (parts > 1 && (kind.form !== 'weights' || kind.accumulates)) {
    throw new ShapeError(
      `matmul: parts: expected 1 unless gradients of weights are written, got ${parts} of ${kind.form}`,
    );
  }
  const tiles = tilesOf(kind.form, sizes, facts);
  const across = Math.min(tiles, MOST);
  const down = Math.ceil(tiles / across);
  checkWhole(`matmul: tiles / ${MOST}`, down, 1, MOST);
  return [across, down, parts];
}

/** Tiles of one part of the result. */
function tilesOf(form: MatmulForm, { rows, inputs, outputs }: MatmulSizes, { software }: Facts): number {
  const [height, width] = software
    ? [DIRECT.ROWS, 4 * DIRECT.WG_SIZE * DIRECT.FOURS]
    : [4 * STAGED.LANES, 4 * STAGED.LANES];
  const [down, across] = { outputs: [rows, outputs], inputs: [rows, inputs], weights: [outputs, inputs] }[
    form
  ] as [number, number];
  return Math.ceil(down / height) * Math.ceil(across / width);
}

/** Workgroups that gradients of weights are to have on a GPU: reasoned, not measured, for want of one. */
const WANTED_GROUPS = 256;

/** Rows worth a part of their own: several steps of a workgroup. */
const PART_ROWS = 64;

/**
 * Parts to deal the rows out to in the form `weights`. On GPUs so many that a small matrix has work for the device, and no more
 * than a few MB of parts; on software adapters 1: all rows in one sum.
 */
export function matmulParts(sizes: Omit<MatmulSizes, 'parts'>, facts: Facts): number {
  if (facts.software) return 1;
  const wanted = Math.ceil(WANTED_GROUPS / tilesOf('weights', sizes, facts));
  return Math.max(1, Math.min(wanted, Math.floor(sizes.rows / PART_ROWS)));
}
