// fileParts.ts: a model folder's parts from files of any kind: a browser's, a server's, or bytes in memory.
import { checkText, describe, isObject, isRecord } from '../../device/options.ts';
import { messageOf, ShapeError } from '../../device/errors.ts';
import { parseConfigJson } from '../../models/configJson.ts';
import { ADAPTER_CONFIG, refuseAdapter } from '../find/adapters.ts';
import { CheckpointError, fail, quote } from '../format/checkpointError.ts';
import { PREFIX_BYTES, parseHeader, readHeaderLength, type TensorInfo } from '../format/safetensors.ts';
import { checkIndex, INDEX, readIndex } from '../format/shardIndex.ts';
import { MAX_POINTER_BYTES, refusePointer, weightFiles } from '../format/weightFiles.ts';
import { GENERATION_CONFIG, type ModelParts } from './modelParts.ts';

/** A file whose bytes can be read in part: a `Blob` or `File`, or what asks a server for ranges. */
export interface ByteSource {
  /** Its length in bytes. */
  readonly size: number;
  /** The bytes [begin, end). */
  read(begin: number, end: number): Promise<Uint8Array>;
}

/**
 * Files of a model folder by name: config.json, a safetensors file or an index and its shards, and generation_config.json where
 * there is one.
 */
export type ModelFiles = Readonly<Record<string, Blob | ByteSource>>;

interface Shard {
  readonly name: string;
  readonly source: ByteSource;
  readonly dataStart: number;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/** Reads config and headers. Throws ShapeError for what are no files, CheckpointError for files that are missing, cut or contradict each other. */
export async function readModelFiles(files: ModelFiles, name: string): Promise<ModelParts> {
  checkText('openModelFiles: name', name);
  if (!isRecord(files))
    throw new ShapeError(`openModelFiles: expected files by name, got ${describe(files)}`);
  if (Object.hasOwn(files, ADAPTER_CONFIG)) refuseAdapter(ADAPTER_CONFIG, name);
  const configText = await textOf(files, 'config.json', name);
  const config = parseConfigJson(configText, `${name}/config.json`);
  const index = Object.hasOwn(files, INDEX)
    ? readIndex(await textOf(files, INDEX, name), `${name}/${INDEX}`)
    : undefined;
  const shards: Shard[] = [];
  for (const shard of weightFiles(Object.keys(files), index, name)) {
    shards.push(await openShard(files, shard, name));
  }
  const shardOf = new Map<string, Shard>();
  for (const shard of shards) {
    for (const tensor of shard.tensors.keys()) {
      const other = shardOf.get(tensor);
      if (other) fail(`${name}/${shard.name}: tensor ${quote(tensor)} is in ${other.name} too`);
      shardOf.set(tensor, shard);
    }
  }
  if (index) checkIndex(index.files, shardOf, `${name}/${INDEX}`);
  return {
    path: name,
    configText,
    config,
    tensors: new Map([...shardOf].map(([tensor, shard]) => [tensor, shard.tensors.get(tensor)!])),
    generationText: Object.hasOwn(files, GENERATION_CONFIG)
      ? await textOf(files, GENERATION_CONFIG, name)
      : undefined,
    read: (tensor) => {
      const shard = shardOf.get(tensor) ?? fail(`${name}: tensor ${quote(tensor)} is missing`);
      const { begin, end } = shard.tensors.get(tensor)!;
      const where = `${name}/${shard.name}: tensor ${quote(tensor)}`;
      return readPart(shard.source, shard.dataStart + begin, shard.dataStart + end, where);
    },
  };
}

async function openShard(files: ModelFiles, file: string, name: string): Promise<Shard> {
  const where = `${name}/${file}`;
  const source = sourceOf(files, file, name);
  if (source.size < MAX_POINTER_BYTES) refusePointer(await readPart(source, 0, source.size, where), where);
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
