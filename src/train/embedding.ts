// embedding.ts: rows of tokens out of the tables of the embedding and of positions, and the gradients back into them.
import { writeData, type BufferRange } from '../device/buffers.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import {
  embedBack,
  embedBackGrid,
  embedBackNumbers,
  embedRows,
  embedRowsGrid,
  embedRowsNumbers,
} from '../kernels/train/tokens.ts';
import { bindKernel, dispatch, type BoundKernel } from '../device/record.ts';
import { rowLists } from '../numbers/rowLists.ts';
import type { BatchSizes } from './attention.ts';
import { rangeOfBlock, type Binder, type Recorded } from './binder.ts';
import type { Block, ParameterLayout } from './parameters.ts';
import type { ParameterBuffers } from './products.ts';

/** Lists of the rows that have the same id: u32 [M, 3] and [M], as many as there can be. */
export interface ListBuffers {
  readonly entries: BufferRange;
  readonly order: BufferRange;
}

export interface EmbeddingParts {
  readonly binder: Binder;
  readonly buffers: ParameterBuffers;
  readonly layout: ParameterLayout;
  readonly sizes: BatchSizes;
  readonly width: number;
}

/** Binds the forward pass: x [M, d] of tokens u32 [M]. */
export function bindEmbedding(
  { binder, buffers, layout, sizes: { batch, context }, width }: EmbeddingParts,
  tokens: BufferRange,
  x: BufferRange,
): Promise<Recorded> {
  const { embedding, positions } = layout;
  const rows = batch * context;
  return binder.bind({
    kernel: embedRows({ positions: positions !== undefined }),
    grid: embedRowsGrid({ rows, width }),
    numbers: embedRowsNumbers({ rows, width, length: context }),
    buffers: {
      tokens,
      table: rangeOfBlock(buffers.parameters, embedding),
      ...(positions && { positions: rangeOfBlock(buffers.parameters, positions) }),
      x,
    },
  });
}

/** Adds the gradients of rows to those of the table's rows that they were. */
export class EmbeddingBack {
  readonly #device: GqaDevice;
  readonly #lists: ListBuffers;
  readonly #numbers: BufferRange;
  readonly #width: number;
  readonly #kernel: BoundKernel;
  #entries = 0;

  private constructor(
    device: GqaDevice,
    lists: ListBuffers,
    numbers: BufferRange,
    width: number,
    kernel: BoundKernel,
  ) {
    this.#device = device;
    this.#lists = lists;
    this.#numbers = numbers;
    this.#width = width;
    this.#kernel = kernel;
  }

  /** `table`: the block of the embedding, or of positions. */
  static async create(
    { binder, buffers, width }: EmbeddingParts,
    table: Block,
    lists: ListBuffers,
    dX: BufferRange,
  ): Promise<EmbeddingBack> {
    const { device } = binder;
    const compiled = await device.pipelines.get(embedBack());
    const numbers = binder.uniform('embed_back numbers', embedBackNumbers({ entries: 0, width }));
    const bound = bindKernel(device.gpu, compiled, {
      ...lists,
      d_x: dX,
      d_table: rangeOfBlock(buffers.gradients, table),
      numbers,
    });
    return new EmbeddingBack(device, lists, numbers, width, bound);
  }

  /** Writes which row of the table each row was, [M], for the passes that are submitted from now on. */
  place(ids: Uint32Array): void {
    const { entries, order } = rowLists(ids);
    this.#entries = entries.length / 3;
    writeData(this.#device, this.#lists.entries, entries);
    writeData(this.#device, this.#lists.order, order);
    const numbers = embedBackNumbers({ entries: this.#entries, width: this.#width });
    writeData(this.#device, this.#numbers, numbers);
  }

  record(pass: GPUComputePassEncoder): void {
    dispatch(pass, this.#kernel, embedBackGrid({ entries: this.#entries, width: this.#width }));
  }
}
