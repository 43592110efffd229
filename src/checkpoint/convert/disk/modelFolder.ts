// modelFolder.ts: a model folder on disk: its config, its shards with their tensors, and the other files that belong to it.
import { messageOf } from '../../../device/errors.ts';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseConfigJson } from '../../../models/configJson.ts';
import { fail, quote } from '../../format/checkpointError.ts';
import { SafetensorsFile } from '../../format/file.ts';
import type { SafetensorsHeader, TensorInfo } from '../../format/safetensors.ts';
import { listFiles, refusePointers, type OtherFile } from './folderFiles.ts';
import { checkIndex, INDEX, readIndex, SINGLE } from '../../format/shardIndex.ts';
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

/** Weights, and what describes them: the number of heads in a params.json is that of the weights that Meta's code reads. */
const WEIGHTS =
  /\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|gguf|onnx|onnx[._]data(_\d+)?|ot|tflite|npz|pdparams|nemo|llamafile|litertlm|task|data-\d+-of-\d+)$|\.index(\.\w+)?\.json$|(^|\/)params\.json$/;

/** Opens a folder with config.json and one or several safetensors files, and checks all headers against each other. */
export async function openModelFolder(path: string): Promise<ModelFolder> {
  const found = await stat(path).catch((cause: unknown) => noFolder(path, cause));
  if (!found.isDirectory()) fail(`${path}: expected a folder with config.json and safetensors files`);
  const files = await listFiles(path);
  await refusePointers(files.filter(isUsed), path);
  const names = files.map(({ name }) => name);
  if (names.includes(ADAPTER_CONFIG)) refuseAdapter(ADAPTER_CONFIG, path);
  const configText = await readText(join(path, 'config.json'));
  const config = parseConfigJson(configText, join(path, 'config.json'));
  const index = names.includes(INDEX)
    ? readIndex(await readText(join(path, INDEX)), join(path, INDEX))
    : undefined;
  const weights = index ? [...new Set(index.files.values())].toSorted() : [singleFile(names, path)];
  checkOneSet(names, weights, index ? INDEX : weights[0]!, path);
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

/** Safetensors files that are not the model's own weights: Mistral's own form of them, and heads that guess ahead. */
const BESIDE = /^(consolidated[^/]*|medusa_lm_head)\.safetensors$/;

/** False for a file that is neither read nor copied. */
function isUsed({ name }: OtherFile): boolean {
  return !WEIGHTS.test(name) || name === INDEX || (isTopSafetensors(name) && !BESIDE.test(name));
}

function isTopSafetensors(name: string): boolean {
  return /^[^/]+\.safetensors$/.test(name);
}

/** Throws unless every weight file is one of a single set, and there. `says` is what names the set. */
function checkOneSet(names: readonly string[], weights: readonly string[], says: string, path: string): void {
  const missing = weights.filter((name) => !names.includes(name));
  if (missing.length > 0) {
    fail(
      `${join(path, says)}: names ${quote(missing[0]!)}, which is missing (${missing.length} of ${weights.length} shards are)`,
    );
  }
  const extra = names.filter(
    (name) => isTopSafetensors(name) && !weights.includes(name) && !BESIDE.test(name),
  );
  if (extra.length === 0) return;
  fail(
    `${path}: two sets of weights, ${quote(says)} and ${quote(extra[0]!)}, which is not of the first; remove the one that is not the model's`,
  );
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

function singleFile(files: readonly string[], path: string): string {
  if (files.includes(SINGLE)) return SINGLE;
  const found = files.filter(isTopSafetensors);
  if (found.length === 1) return found[0]!;
  const what = found.length === 0 ? noneBut(files) : found.map(quote).join(', ');
  return fail(`${path}: expected ${SINGLE}, ${INDEX} or a single safetensors file, got ${what}`);
}

function noneBut(files: readonly string[]): string {
  const other = files.find((name) => WEIGHTS.test(name) && !name.endsWith('.json'));
  return other === undefined ? 'none' : `none, but ${quote(other)}; save the model as safetensors first`;
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
