// modelFolder.ts: a model folder on disk: its config, its shards with their tensors, and the other files that belong to it.
import { messageOf } from '../../device/errors.ts';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fail, isObject, quote } from '../checkpointError.ts';
import { SafetensorsFile } from '../file.ts';
import type { SafetensorsHeader, TensorInfo } from '../safetensors.ts';

/** A safetensors file of a model. Closed; `header` is what was in it when the folder was opened. */
export interface Shard {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
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
  /** Files to copy, relative to the folder, and weights in other forms, which would be stale beside the result. */
  readonly others: readonly string[];
  readonly leftOut: readonly string[];
}

export const INDEX = 'model.safetensors.index.json';
const SINGLE = 'model.safetensors';
const WEIGHTS =
  /\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|gguf|onnx|onnx_data|ot|tflite|npz)$|\.index\.json$/;

/** Opens a folder with config.json and one or several safetensors files, and checks all headers against each other. */
export async function openModelFolder(path: string): Promise<ModelFolder> {
  const found = await stat(path).catch((cause: unknown) =>
    fail(`${path}: cannot be read: ${messageOf(cause)}`, { cause }),
  );
  if (!found.isDirectory()) fail(`${path}: expected a folder with config.json and safetensors files`);
  const configText = await readText(join(path, 'config.json'));
  const config = parse(configText, join(path, 'config.json'));
  const files = await listFiles(path);
  const index = files.includes(INDEX)
    ? readIndex(await readText(join(path, INDEX)), join(path, INDEX))
    : undefined;
  const names = index ? [...new Set(index.files.values())].toSorted() : [singleFile(files, path)];
  const shards: Shard[] = [];
  for (const name of names) shards.push(await openShard(path, name));
  const { tensors, shardOf } = collect(shards);
  if (index) checkIndex(index.files, shardOf, join(path, INDEX));
  const rest = files.filter((name) => name !== 'config.json' && !names.includes(name) && name !== INDEX);
  return {
    path,
    name: basename(path),
    configText,
    config,
    shards,
    tensors,
    shardOf,
    index: index?.json,
    others: rest.filter((name) => !WEIGHTS.test(name)),
    leftOut: rest.filter((name) => WEIGHTS.test(name)),
  };
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) =>
    fail(`${path}: cannot be read: ${messageOf(cause)}`, { cause }),
  );
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    return fail(`${path}: expected JSON: ${messageOf(cause)}`, { cause });
  }
}

/** Files of the folder and its subfolders, without those that begin with a dot; links count as what they lead to. */
async function listFiles(folder: string, under = ''): Promise<string[]> {
  const out: string[] = [];
  for (const name of (await readdir(join(folder, under))).toSorted()) {
    if (name.startsWith('.')) continue;
    const relative = under === '' ? name : `${under}/${name}`;
    const found = await stat(join(folder, relative)).catch((cause: unknown) =>
      fail(`${join(folder, relative)}: cannot be read: ${messageOf(cause)}`, { cause }),
    );
    if (found.isDirectory()) out.push(...(await listFiles(folder, relative)));
    else if (found.isFile()) out.push(relative);
  }
  return out;
}

interface Index {
  readonly json: Record<string, unknown>;
  /** Shard by tensor name. */
  readonly files: ReadonlyMap<string, string>;
}

function readIndex(text: string, path: string): Index {
  const json = parse(text, path);
  const map = isObject(json) ? json['weight_map'] : undefined;
  if (!isObject(json) || !isObject(map)) fail(`${path}: expected an object with a "weight_map"`);
  const files = Object.entries(map).map(([tensor, file]) => {
    // A plain name in the same folder, so that no index can reach a file elsewhere.
    if (typeof file === 'string' && /^[^/\\]+\.safetensors$/.test(file)) return [tensor, file] as const;
    return fail(
      `${path}: tensor ${quote(tensor)}: expected the name of a safetensors file, got ${quote(String(file))}`,
    );
  });
  if (files.length === 0) fail(`${path}: "weight_map" has no tensors`);
  return { json, files: new Map(files) };
}

function singleFile(files: readonly string[], path: string): string {
  if (files.includes(SINGLE)) return SINGLE;
  const found = files.filter((name) => name.endsWith('.safetensors') && !name.includes('/'));
  if (found.length === 1) return found[0]!;
  const what = found.length === 0 ? 'none' : found.map(quote).join(', ');
  return fail(`${path}: expected ${SINGLE}, ${INDEX} or a single safetensors file, got ${what}`);
}

async function openShard(folder: string, name: string): Promise<Shard> {
  const path = join(folder, name);
  const file = await SafetensorsFile.open(path);
  try {
    return { name, path, bytes: file.byteLength, header: file.header };
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

function checkIndex(
  files: ReadonlyMap<string, string>,
  shardOf: ReadonlyMap<string, Shard>,
  path: string,
): void {
  for (const [tensor, file] of files) {
    const shard = shardOf.get(tensor);
    if (shard?.name === file) continue;
    fail(
      `${path}: tensor ${quote(tensor)} should be in ${file}, but is ${shard ? `in ${shard.name}` : 'missing'}`,
    );
  }
  for (const [tensor, shard] of shardOf) {
    if (!files.has(tensor)) fail(`${path}: tensor ${quote(tensor)} of ${shard.name} is not in the index`);
  }
}
