// modelFiles.ts: a whole model from files that need not be on a disk: dropped on a page, fetched, or in a browser's private storage.
import { checkText, describe, isObject, isRecord } from '../../device/options.ts';
import { messageOf, ShapeError } from '../../device/errors.ts';
import { parseConfigJson } from '../../models/configJson.ts';
import { ModelSource } from '../../models/decoder/modelSource.ts';
import { CheckpointError, fail, quote } from '../format/checkpointError.ts';
import { PREFIX_BYTES, parseHeader, readHeaderLength, type TensorInfo } from '../format/safetensors.ts';
import { checkIndex, INDEX, readIndex, SINGLE } from '../format/shardIndex.ts';
import { describeModel } from './describeModel.ts';

/** A file whose bytes can be read in part: a `Blob` or `File`, or what asks a server for ranges. */
export interface ByteSource {
  /** Its length in bytes. */
  readonly size: number;
  /** The bytes [begin, end). */
  read(begin: number, end: number): Promise<Uint8Array>;
}

/** Files of a model folder by name: config.json, and model.safetensors or an index and its shards. */
export type ModelFiles = Readonly<Record<string, Blob | ByteSource>>;

interface Shard {
  readonly name: string;
  readonly source: ByteSource;
  readonly dataStart: number;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/**
 * Opens a model from its files. Headers are read now, tensors one by one while the model is loaded. Throws ShapeError for what are
 * no files, CheckpointError for files that are missing, cut or contradict each other, and as `describeModel` for a model
 * that is not known.
 * @param name what messages call it
 */
export async function openModelFiles(files: ModelFiles, name = 'model'): Promise<ModelSource> {
  checkText('openModelFiles: name', name);
  if (!isRecord(files))
    throw new ShapeError(`openModelFiles: expected files by name, got ${describe(files)}`);
  const config = parseConfigJson(await textOf(files, 'config.json', name), `${name}/config.json`);
  const index = INDEX in files ? readIndex(await textOf(files, INDEX, name), `${name}/${INDEX}`) : undefined;
  const names = index ? [...new Set(index.files.values())].toSorted() : [SINGLE];
  const shards: Shard[] = [];
  for (const shard of names) shards.push(await openShard(files, shard, name));
  const shardOf = new Map<string, Shard>();
  for (const shard of shards) {
    for (const tensor of shard.tensors.keys()) {
      const other = shardOf.get(tensor);
      if (other) fail(`${name}/${shard.name}: tensor ${quote(tensor)} is in ${other.name} too`);
      shardOf.set(tensor, shard);
    }
  }
  if (index) checkIndex(index.files, shardOf, `${name}/${INDEX}`);
  const tensors = new Map([...shardOf].map(([tensor, shard]) => [tensor, shard.tensors.get(tensor)!]));
  return new ModelSource(name, describeModel(tensors, config, name), {
    tensor: (tensor) => tensors.get(tensor),
    read: (tensor) => {
      const shard = shardOf.get(tensor) ?? fail(`${name}: tensor ${quote(tensor)} is missing`);
      const { begin, end } = shard.tensors.get(tensor)!;
      const where = `${name}/${shard.name}: tensor ${quote(tensor)}`;
      return readPart(shard.source, shard.dataStart + begin, shard.dataStart + end, where);
    },
  });
}

async function openShard(files: ModelFiles, file: string, name: string): Promise<Shard> {
  const where = `${name}/${file}`;
  const source = sourceOf(files, file, name);
  const prefix = await readPart(source, 0, Math.min(PREFIX_BYTES, source.size), where);
  const length = readHeaderLength(prefix, source.size, where);
  const json = await readPart(source, PREFIX_BYTES, PREFIX_BYTES + length, where);
  const { tensors, dataStart } = parseHeader(json, source.size, where);
  return { name: file, source, dataStart, tensors };
}

async function textOf(files: ModelFiles, file: string, name: string): Promise<string> {
  const source = sourceOf(files, file, name);
  return new TextDecoder().decode(await readPart(source, 0, source.size, `${name}/${file}`));
}

function sourceOf(files: ModelFiles, file: string, name: string): ByteSource {
  const given = Object.hasOwn(files, file)
    ? files[file]!
    : fail(`${name}: expected a file ${file}, got none`);
  if (!isObject(given) || typeof given.size !== 'number') {
    throw new ShapeError(`openModelFiles: ${file}: expected a Blob or a ByteSource, got ${describe(given)}`);
  }
  if ('read' in given) return given;
  return {
    size: given.size,
    read: async (begin, end) => new Uint8Array(await given.slice(begin, end).arrayBuffer()),
  };
}

async function readPart(source: ByteSource, begin: number, end: number, where: string): Promise<Uint8Array> {
  const bytes = await source.read(begin, end).catch((cause: unknown) => {
    throw new CheckpointError(`${where}: bytes ${begin} to ${end} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  });
  if (bytes.byteLength === end - begin) return bytes;
  return fail(`${where}: expected ${end - begin} bytes from ${begin} on, got ${bytes.byteLength}`);
}
