// matrix.ts: a matrix of weights on a device, in as many bindings as it takes, and products with it bound to buffers.
import { createStorage, createUniform, writeData, type BufferRange } from '../../device/buffers.ts';
import { LimitExceededError } from '../../device/errors.ts';
import type { GqaDevice } from '../../device/gqaDevice.ts';
import { bindKernel, dispatch, type BoundKernel } from '../../device/record.ts';
import type { StepRing } from '../../device/ring.ts';
import type { Grid } from '../../kernels/kernel.ts';
import { gemm, gemmGrid } from '../../kernels/model/gemm.ts';
import {
  product,
  productGrid,
  productNumbers,
  type ProductForm,
  type ProductNumbers,
  type ProductRows,
} from '../../kernels/model/product.ts';
import { fittedTo, type PassVariant } from '../../kernels/model/variants.ts';
import { tileBytes, tilesOf, type MatrixSizes } from '../../kernels/model/weightsLib.ts';
import { packTiles, type MatrixSource } from './packing.ts';

/** Tiles of a matrix that one binding has. */
export interface MatrixPart {
  /** Its first tile, and how many it has. */
  readonly first: number;
  readonly tiles: number;
  readonly weights: BufferRange;
  readonly scales?: BufferRange;
}

/** A matrix on a device. */
export interface Matrix {
  readonly sizes: MatrixSizes;
  readonly parts: readonly MatrixPart[];
  /** Bytes of weights and scales. */
  readonly bytes: number;
}

/** Bytes of a matrix, and of its largest part on a device of such limits. */
export function matrixBytes(sizes: MatrixSizes): number {
  const { weights, scales } = tileBytes(sizes);
  return tilesOf(sizes) * (weights + scales);
}

/** Runs of tiles that fit a binding, as even as can be. Throws LimitExceededError where no tile does. */
export function cutTiles(
  where: string,
  sizes: MatrixSizes,
  most: number,
): { first: number; tiles: number }[] {
  const { weights } = tileBytes(sizes);
  const all = tilesOf(sizes);
  const fit = Math.floor(most / weights);
  if (fit === 0) throw new LimitExceededError(where, 'maxStorageBufferBindingSize', weights, most);
  const parts = Math.ceil(all / fit);
  const each = Math.ceil(all / parts);
  return Array.from({ length: parts }, (_, i) => ({
    first: i * each,
    tiles: Math.min(each, all - i * each),
  }));
}

/** Packs and uploads a matrix, part by part. `keep` is told of every buffer; `shift`: see `packTiles`. */
export function uploadMatrix(
  device: GqaDevice,
  label: string,
  source: MatrixSource,
  keep: (buffer: GPUBuffer) => void,
  shift?: ArrayLike<number>,
): { matrix: Matrix; shifted?: Float64Array } {
  const { maxBindingBytes, maxBufferBytes } = device.facts;
  const runs = cutTiles(label, source.sizes, Math.min(maxBindingBytes, maxBufferBytes));
  const shifted =
    shift && new Float64Array(tilesOf(source.sizes) * source.sizes.tile * source.sizes.matrices);
  const parts = runs.map(({ first, tiles }): MatrixPart => {
    const packed = packTiles(source, first, tiles, shift);
    if (packed.shifted) shifted!.set(packed.shifted, first * source.sizes.tile * source.sizes.matrices);
    const weights = upload(device, label, packed.weights, keep);
    const scales = packed.scales && upload(device, `${label} scales`, packed.scales, keep);
    return { first, tiles, weights, ...(scales && { scales }) };
  });
  const matrix = { sizes: source.sizes, parts, bytes: matrixBytes(source.sizes) };
  return { matrix, ...(shifted && { shifted }) };
}

/** A buffer with these contents. */
export function upload(
  device: GqaDevice,
  label: string,
  data: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
  keep: (buffer: GPUBuffer) => void,
): BufferRange {
  const buffer = createStorage(device, label, data.byteLength);
  keep(buffer);
  writeData(device, { buffer, offset: 0 }, data);
  return { buffer, offset: 0, size: buffer.size };
}

/** What a product reads and writes beside its weights. */
export interface ProductBuffers {
  readonly x: BufferRange;
  readonly y: BufferRange;
  readonly others?: BufferRange;
  readonly gains?: BufferRange;
  readonly bias?: BufferRange;
  readonly step: StepRing;
}

/** A product with its buffers bound. */
export interface BoundProduct {
  /** `rows`: as many as the variant says, where it does. */
  record(pass: GPUComputePassEncoder, rows: number, stepOffset: number): void;
}

/** Compiles and binds a product, for few rows and, where the variant has a kernel of their own for them, for many. */
export async function bindProduct(
  device: GqaDevice,
  matrix: Matrix,
  given: Omit<ProductForm, 'fixedRows'>,
  chosen: PassVariant,
  rows: ProductRows,
  numbers: Omit<ProductNumbers, 'first'>,
  buffers: ProductBuffers,
  keep: (buffer: GPUBuffer) => void,
): Promise<BoundProduct> {
  const { sizes } = matrix;
  const variant = fittedTo(chosen, sizes, given);
  const { gemm: many, passRows } = variant;
  const form = { ...given, fixedRows: passRows !== undefined };
  const { step, ...data } = buffers;
  const [kernel, manyKernel] = await Promise.all([
    device.pipelines.get(product(sizes, form, variant, rows)),
    many && device.pipelines.get(gemm(sizes, form, many, rows)),
  ]);
  const bound = matrix.parts.map(({ first, tiles, weights, scales }) => {
    const uniform = createUniform(
      device,
      'product',
      productNumbers(sizes, {
        ...numbers,
        first: first * sizes.tile,
        ...(passRows !== undefined && { rows: passRows }),
      }),
    );
    keep(uniform);
    const own = { weights, numbers: { buffer: uniform, offset: 0, size: uniform.size } };
    const all = { ...data, ...own, ...(scales && { scales }), ...(!form.fixedRows && { step }) };
    return {
      tiles,
      few: bindKernel(device.gpu, kernel, all),
      many: manyKernel && bindKernel(device.gpu, manyKernel, all),
    };
  });
  if (passRows !== undefined)
    return fixedProduct(passRows, bound, (tiles) => productGrid(tiles, passRows, variant));
  return {
    record: (pass, count, stepOffset) => {
      for (const each of bound) {
        if (many && count >= many.fromRows)
          dispatch(
            pass,
            each.many!,
            gemmGrid(sizes, form, many, { tiles: each.tiles, rows: count }),
            stepOffset,
          );
        else dispatch(pass, each.few, productGrid(each.tiles, count, variant), stepOffset);
      }
    },
  };
}

/** A product of passes that all have as many rows. */
function fixedProduct(
  rows: number,
  parts: readonly { readonly tiles: number; readonly few: BoundKernel }[],
  gridOf: (tiles: number) => Grid,
): BoundProduct {
  const bound = parts.map(({ tiles, few }) => ({ few, grid: gridOf(tiles) }));
  return {
    record: (pass, count) => {
      if (count !== rows) throw new Error(`product: expected a pass of ${rows} rows, got ${count}`);
      for (const { few, grid } of bound) dispatch(pass, few, grid);
    },
  };
}
