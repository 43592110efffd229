// modelFolder.ts: a model folder on disk: its config, its shards with their tensors, and the other files that belong to it.
import { messageOf } from '../../../device/errors.ts';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseConfigJson } from '../../../models/configJson.ts';
import { fail, quote } from '../../format/checkpointError.ts';
import { SafetensorsFile } from '../../format/file.ts';
import type { SafetensorsHeader, TensorInfo } from '../../format/safetensors.ts';
import { listFiles, refusePointers, type OtherFile } from './folderFiles.ts';
import { checkIndex, INDEX, readIndex } from '../../format/shardIndex.ts';
import { isUsed, weightFiles, WEIGHTS } from '../../format/weightFiles.ts';
import { ADAPTER_CONFIG, refuseAdapter } from '../../find/adapters.ts';

/** A safetensors file of a model. Closed; `header` is what was in it when the folder was opened. */
export interface Shard {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  /** When it was last modified, in ms since 1970. */
  readonly modified: number;
  readonly header: SafetensorsHeader;
}

export interface ModelFolder {
  readonly path: string;
  /** The folder's own name, for provenance: no path of this machine. */
  readonly name: string;
  readonly configText: string;
  readonly config: unknown;
  readonly shards: readonly Shard[];
  /** All tensors by name, shard by shard. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly shardOf: ReadonlyMap<string, Shard>;
  /** The parsed index, when the model has one. */
  readonly index: Record<string, unknown> | undefined;
  /** Files to copy. */
  readonly others: readonly OtherFile[];
  /** Names of weights in other forms, which would be stale beside the result. */
  readonly leftOut: readonly string[];
}

/** Opens a folder with config.json and one or several safetensors files, and checks all headers against each other. */
export async function openModelFolder(path: string): Promise<ModelFolder> {
  const found = await stat(path).catch((cause: unknown) => noFolder(path, cause));
  if (!found.isDirectory()) fail(`${path}: expected a folder with config.json and safetensors files`);
  const files = await listFiles(path);
  await refusePointers(
    files.filter(({ name }) => isUsed(name)),
    path,
  );
  const names = files.map(({ name }) => name);
  if (names.includes(ADAPTER_CONFIG)) refuseAdapter(ADAPTER_CONFIG, path);
  const configText = await readText(join(path, 'config.json'));
  const config = parseConfigJson(configText, join(path, 'config.json'));
  const index = names.includes(INDEX)
    ? readIndex(await readText(join(path, INDEX)), join(path, INDEX))
    : undefined;
  const weights = weightFiles(names, index, path);
  const shards: Shard[] = [];
  for (const name of weights) shards.push(await openShard(path, name));
  const { tensors, shardOf } = collect(shards);
  if (index) checkIndex(index.files, shardOf, join(path, INDEX));
  const rest = files.filter(
    ({ name }) => name !== 'config.json' && !weights.includes(name) && name !== INDEX,
  );
  return {
    path,
    name: basename(path),
    configText,
    config,
    shards,
    tensors,
    shardOf,
    index: index?.json,
    others: rest.filter(({ name }) => !WEIGHTS.test(name)),
    leftOut: rest.filter(({ name }) => WEIGHTS.test(name)).map(({ name }) => name),
  };
}

/** Loaders take names of the Hugging Face Hub too; nothing is downloaded here. */
function noFolder(path: string, cause: unknown): never {
  const isHubName = /^[\w.-]+\/[\w.-]+$/.test(path);
  const hint = isHubName ? '; a model of the Hugging Face Hub must be downloaded first, into a folder' : '';
  return fail(`${path}: cannot be read: ${messageOf(cause)}${hint}`, { cause });
}

/** A text file as it is: a byte order mark stays, and bytes that are not UTF-8 would not come out as they went in. */
async function readText(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: unknown) =>
    fail(`${path}: cannot be read: ${messageOf(cause)}`, { cause }),
  );
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    return fail(`${path}: expected UTF-8: ${messageOf(cause)}`, { cause });
  }
}

async function openShard(folder: string, name: string): Promise<Shard> {
  const path = join(folder, name);
  const file = await SafetensorsFile.open(path);
  try {
    return { name, path, bytes: file.byteLength, modified: file.modified, header: file.header };
  } finally {
    await file.close();
  }
}

function collect(shards: readonly Shard[]): Pick<ModelFolder, 'tensors' | 'shardOf'> {
  const tensors = new Map<string, TensorInfo>();
  const shardOf = new Map<string, Shard>();
  for (const shard of shards) {
    for (const [name, tensor] of shard.header.tensors) {
      const other = shardOf.get(name);
      if (other) fail(`${shard.path}: tensor ${quote(name)} is in ${other.name} too`);
      tensors.set(name, tensor);
      shardOf.set(name, shard);
    }
  }
  return { tensors, shardOf };
}
