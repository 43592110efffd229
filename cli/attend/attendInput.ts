// attendInput.ts: the tensors that `gqa attend` reads: found, checked against each other, and decoded.
import { checkKvLens } from '../../src/cache/layout.ts';
import { CheckpointError } from '../../src/checkpoint/format/checkpointError.ts';
import { SafetensorsFile } from '../../src/checkpoint/format/file.ts';
import { messageOf } from '../../src/device/errors.ts';
import { allocate } from '../../src/files/memory.ts';
import type { ProblemBias } from '../../src/reference/problemFeatures.ts';
import {
  biasShape,
  findScores,
  readScores,
  sumOfScores,
  type ScoreAxes,
  type ScoreTensor,
  type ScoreValues,
} from './attendBias.ts';
import type { TensorOptions } from './attendOptions.ts';
import { checkRows, placeRows } from './attendRows.ts';
import {
  findTensor,
  findTensors,
  FLOATS,
  list,
  whereIs,
  type InputTensors,
  type RowsTensor,
} from './attendTensors.ts';

/** The sizes that the header tells. */
interface InputSizes {
  readonly tensors: InputTensors;
  readonly batch: number;
  readonly numQHeads: number;
  readonly numKvHeads: number;
  /** D and Dv, filled up with zeros to a multiple of 8. */
  readonly headDim: number;
  readonly vHeadDim: number;
  readonly qLen: number;
  /** T, keys of each sequence, past ones included. */
  readonly keys: number;
  /** Slots of each sequence: T, or more where queries are aligned to keys that are not there. */
  readonly capacity: number;
}

/** What is known before values are read. */
export interface InputShape extends InputSizes {
  /** Axes of what is added to scores, if anything is. */
  readonly bias?: ScoreAxes;
}

/** What a file asks for: q [B, Hq, Lq, D], k [B, Hkv, capacity, D] and v [B, Hkv, capacity, Dv] as f32. */
export interface AttendInput extends InputSizes {
  /** Valid tokens of each sequence. */
  readonly validLens: readonly number[];
  /** Keys of each sequence, to the last of which the last query is aligned. */
  readonly kvLens: readonly number[];
  readonly q: Float32Array<ArrayBuffer>;
  readonly k: Float32Array<ArrayBuffer>;
  readonly v: Float32Array<ArrayBuffer>;
  readonly bias?: ProblemBias;
  readonly sinkLogits?: readonly number[];
  /** What is worth saying about it. */
  readonly notes: readonly string[];
}

/**
 * Reads the tensors that options name, and q, k, v and, if it is there, kv_lens. What does not fit together throws a
 * CheckpointError or ShapeError that names file, tensor, what was expected and what was got; shapes are checked before any data
 * is read, by `check` too.
 */
export async function readAttendInput(
  path: string,
  options: TensorOptions,
  check: (shape: InputShape) => Promise<void> = async () => {},
): Promise<AttendInput> {
  const file = await SafetensorsFile.open(path);
  try {
    return await readInput(file, path, options, check);
  } finally {
    await file.close();
  }
}

async function readInput(
  file: SafetensorsFile,
  path: string,
  options: TensorOptions,
  check: (shape: InputShape) => Promise<void>,
): Promise<AttendInput> {
  const found = shapeOf(findTensors(file, path, options), options);
  const { batch, numQHeads, qLen, keys, capacity, tensors } = found;
  const added = addedTo(file, path, options, [batch, numQHeads, qLen, keys]);
  for (const { name } of [...Object.values(tensors), ...added]) file.checkFloat32(name);
  const validLens = await readKvLens(file, path, options, found);
  const kvLens = alignedLens(validLens, found, options);
  // Queries that are aligned to keys which are not there.
  const hidden = kvLens.some((kvLen, b) => kvLen > validLens[b]!) ? validLens : undefined;
  const axes = added.length > 0 || hidden ? biasShape(added, capacity, hidden) : undefined;
  await check({ ...found, ...(axes && { bias: axes }) });
  const sinkLogits = await readSinks(file, path, options, numQHeads);
  const parts: ScoreValues[] = [];
  for (const tensor of added) parts.push(await readScores(file, path, tensor));
  return {
    ...found,
    ...(await readRows(file, path, found, validLens, hidden)),
    validLens,
    kvLens,
    ...(axes && { bias: sumOfScores(parts, { keys, slots: capacity, ...(hidden && { lens: hidden }) }) }),
    ...(sinkLogits && { sinkLogits }),
    notes: notesOf(file, options, found, added),
  };
}

/** Keys of `past-k`. */
export function pastOf({ pastK }: InputTensors): number {
  return pastK?.rows ?? 0;
}

function shapeOf(tensors: InputTensors, { causal }: TensorOptions): InputSizes {
  const { q, k, v } = tensors;
  const past = pastOf(tensors);
  const keys = past + k.rows;
  return {
    tensors,
    batch: q.batch,
    numQHeads: q.heads,
    numKvHeads: k.heads,
    headDim: filledUp(k.dim),
    vHeadDim: filledUp(v.dim),
    qLen: q.rows,
    keys,
    capacity: causal === 'first-key' ? Math.max(keys, past + q.rows) : keys,
  };
}

/** Kernels know multiples of 8. */
function filledUp(dim: number): number {
  return Math.ceil(dim / 8) * 8;
}

/** What is added to scores: the mask, then the bias. */
function addedTo(
  file: SafetensorsFile,
  path: string,
  { mask, bias }: TensorOptions,
  axes: ScoreAxes,
): ScoreTensor[] {
  return [
    ...(mask === undefined ? [] : [findScores(file, path, mask, axes, true)]),
    ...(bias === undefined ? [] : [findScores(file, path, bias, axes, false)]),
  ];
}

/** Keys of each sequence such that its last query is aligned to the last of them. */
function alignedLens(
  validLens: readonly number[],
  { tensors, qLen }: InputSizes,
  { causal }: TensorOptions,
): readonly number[] {
  return causal === 'first-key' ? validLens.map(() => pastOf(tensors) + qLen) : validLens;
}

type Floats = Float32Array<ArrayBuffer>;

/** q, k and v with past keys in front, their rows filled up with zeros; past `hidden` lengths, of slots that are read, there are zeros. */
async function readRows(
  file: SafetensorsFile,
  path: string,
  { tensors: { q, k, v, pastK, pastV }, headDim, vHeadDim, capacity }: InputSizes,
  validLens: readonly number[],
  hidden: readonly number[] | undefined,
): Promise<Record<'q' | 'k' | 'v', Floats>> {
  const read = async (parts: readonly RowsTensor[], dim: number, slots: number, lens?: readonly number[]) => {
    const target = { dim, slots, values: zeros(path, parts[0]!, dim, slots) };
    let first = 0;
    for (const part of parts) {
      const { data } = await file.readFloat32(part.name);
      checkRows(whereIs(path, part.name), part, data, lens && after(lens, first));
      placeRows(part, data, { ...target, first }, lens && hidden && after(hidden, first));
      first += part.rows;
    }
    return target.values;
  };
  const of = (past: RowsTensor | undefined, tensor: RowsTensor) => (past ? [past, tensor] : [tensor]);
  return {
    q: await read([q], headDim, q.rows),
    k: await read(of(pastK, k), headDim, capacity, validLens),
    v: await read(of(pastV, v), vHeadDim, capacity, validLens),
  };
}

/** What is left of lengths behind `first` rows. */
function after(lens: readonly number[], first: number): number[] {
  return lens.map((len) => len - first);
}

function zeros(path: string, { name, batch, heads }: RowsTensor, dim: number, slots: number): Floats {
  try {
    return new Float32Array(allocate(batch * heads * slots * dim * 4));
  } catch (cause) {
    const shape = [batch, heads, slots, dim];
    throw new CheckpointError(`${whereIs(path, name)}: as f32 ${list(shape)} ${messageOf(cause)}`, { cause });
  }
}

const INTEGERS = {
  I8: Int8Array,
  U8: Uint8Array,
  I16: Int16Array,
  U16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
} as const;

/** The tensor of lengths, if there is one. */
function lensName(file: SafetensorsFile, { kvLens }: TensorOptions): string | undefined {
  return kvLens ?? (file.header.tensors.has('kv_lens') ? 'kv_lens' : undefined);
}

/** The lengths; without their tensor every sequence has T tokens. */
async function readKvLens(
  file: SafetensorsFile,
  path: string,
  options: TensorOptions,
  { batch, keys }: InputSizes,
): Promise<number[]> {
  const name = lensName(file, options);
  if (name === undefined) return Array.from({ length: batch }, () => keys);
  const where = whereIs(path, name);
  const wanted = `${where}: expected one of ${Object.keys(INTEGERS).join(', ')} [${batch}]`;
  const { dtype, shape } = findTensor(file, wanted, name);
  const Integers = isInteger(dtype) ? INTEGERS[dtype] : undefined;
  if (!Integers || shape.length !== 1 || shape[0] !== batch) {
    throw new CheckpointError(`${wanted}; got ${dtype} ${list(shape)}`);
  }
  const kvLens = Array.from(new Integers((await file.read(name)).buffer), Number);
  checkKvLens(where, kvLens, batch, keys);
  return kvLens;
}

function isInteger(dtype: string): dtype is keyof typeof INTEGERS {
  return Object.hasOwn(INTEGERS, dtype);
}

async function readSinks(
  file: SafetensorsFile,
  path: string,
  { sinkLogits: name }: TensorOptions,
  heads: number,
): Promise<readonly number[] | undefined> {
  if (name === undefined) return undefined;
  const wanted = `${whereIs(path, name)}: expected ${FLOATS.join(', ')} [${heads}]`;
  const { dtype, shape } = findTensor(file, wanted, name);
  if (!FLOATS.includes(dtype) || shape.length !== 1 || shape[0] !== heads) {
    throw new CheckpointError(`${wanted}; got ${dtype} ${list(shape)}`);
  }
  const logits = [...(await file.readFloat32(name)).data];
  const bad = logits.findIndex((logit) => !Number.isFinite(logit));
  if (bad < 0) return logits;
  throw new CheckpointError(
    `${whereIs(path, name)}: expected finite numbers, got ${logits[bad]} at [${bad}]`,
  );
}

function notesOf(
  file: SafetensorsFile,
  options: TensorOptions,
  { tensors, keys }: InputSizes,
  added: readonly ScoreTensor[],
): string[] {
  const used = [...Object.values(tensors), ...added].map(({ name }) => name);
  const others = [lensName(file, options), options.sinkLogits];
  const unused = [...file.header.tensors.keys()].filter((name) => ![...used, ...others].includes(name));
  const short = added.filter(({ shape }) => shape[3] > 1 && shape[3] < keys);
  return [
    ...short.map(({ name, shape }) => `${name} has ${shape[3]} of ${keys} keys: the others are not seen`),
    ...(unused.length > 0 ? [`tensors without use here: ${unused.join(', ')}`] : []),
  ];
}
