// modelReader.ts: tensors of a model by name, from whichever shard they are in.
import { CheckpointError, quote } from '../../format/checkpointError.ts';
import { allFloats } from '../../format/dtypes.ts';
import type { SafetensorsFile } from '../../format/file.ts';
import type { ModelFolder, Shard } from './modelFolder.ts';
import { reopenShard } from './fileStates.ts';

/** Reads tensors of a model. Files are opened when first needed and stay open until `close`. */
export class ModelReader {
  readonly #model: ModelFolder;
  readonly #files = new Map<Shard, Promise<SafetensorsFile>>();

  constructor(model: ModelFolder) {
    this.#model = model;
  }

  /** The stored bytes of a tensor, in memory of their own. */
  async read(name: string): Promise<Uint8Array> {
    const shard = this.#model.shardOf.get(name);
    if (!shard) throw new CheckpointError(`${this.#model.path}: tensor ${quote(name)} is missing`);
    const file = this.#files.get(shard) ?? reopenShard(shard);
    this.#files.set(shard, file);
    return (await file).read(name);
  }

  /** The values of a small floating-point tensor. */
  async readFloats(name: string): Promise<Float64Array> {
    const { dtype } = this.#model.tensors.get(name)!;
    return allFloats(dtype, await this.read(name), `tensor ${quote(name)}`);
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await (await file.catch(() => undefined))?.close();
    this.#files.clear();
  }
}
