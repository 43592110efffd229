// attendTensors.ts: q, k, v and what came before them, as the header of a file describes them: found, and checked against each other.
import { CheckpointError, quote } from '../../src/checkpoint/format/checkpointError.ts';
import type { SafetensorsFile } from '../../src/checkpoint/format/file.ts';
import type { TensorInfo } from '../../src/checkpoint/format/safetensors.ts';
import { checkWhole, MAX_BATCH, MAX_HEAD_DIM, MAX_HEADS, MAX_Q_LEN } from '../../src/kernels/shape.ts';
import type { TensorOptions } from './attendOptions.ts';

/** A tensor of rows: [B, heads, rows, dim], or as [B, rows, heads * dim]. */
export interface RowsTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly batch: number;
  readonly heads: number;
  readonly rows: number;
  readonly dim: number;
}

/** What the header tells of an input. */
export interface InputTensors {
  readonly q: RowsTensor;
  readonly k: RowsTensor;
  readonly v: RowsTensor;
  readonly pastK?: RowsTensor;
  readonly pastV?: RowsTensor;
}

export const FLOATS: readonly string[] = ['F32', 'F16', 'BF16'];

/** Finds the tensors of rows. Throws CheckpointError or ShapeError that names file, tensor, what was expected and what was got. */
export function findTensors(file: SafetensorsFile, path: string, options: TensorOptions): InputTensors {
  const { heads, kvHeads, pastK: pastKName, pastV: pastVName } = options;
  const find = (name: string, letters: readonly string[], given?: number) =>
    findRows(file, path, name, letters, given);
  const Q = ['Hq', 'Lq', 'D', '--heads'];
  const [K, V] = ['D', 'Dv'].map((dim) => ['Hkv', 'T', dim, '--kv-heads']) as [string[], string[]];
  const [q, k, v] = [find('q', Q, heads), find('k', K, kvHeads), find('v', V, kvHeads)];
  checkQuery(path, q);
  const from = `because q is ${list(q.shape)}`;
  checkSame(whereIs(path, 'k'), k, { batch: q.batch, dim: q.dim }, K, from);
  checkHeads(path, q, k);
  const { batch } = q;
  const because = `because k is ${list(k.shape)}`;
  checkSame(whereIs(path, 'v'), v, { batch, heads: k.heads, rows: k.rows }, V, because);
  checkWhole(`${whereIs(path, 'v')}: Dv`, v.dim, 1, MAX_HEAD_DIM);
  if (pastKName === undefined || pastVName === undefined) return { q, k, v };
  const pastK = find(pastKName, ['Hkv', 'P', 'D', '--kv-heads'], kvHeads);
  const pastV = find(pastVName, ['Hkv', 'P', 'Dv', '--kv-heads'], kvHeads);
  const past = { batch, heads: k.heads, dim: k.dim };
  checkSame(whereIs(path, pastKName), pastK, past, ['Hkv', 'P', 'D'], because);
  const pastOfV = { ...past, rows: pastK.rows, dim: v.dim };
  checkSame(whereIs(path, pastVName), pastV, pastOfV, ['Hkv', 'P', 'Dv'], `because v is ${list(v.shape)}`);
  return { q, k, v, pastK, pastV };
}

function checkQuery(path: string, { batch, heads, rows, dim }: RowsTensor): void {
  const where = whereIs(path, 'q');
  checkWhole(`${where}: B`, batch, 1, MAX_BATCH);
  checkWhole(`${where}: Hq`, heads, 1, MAX_HEADS);
  checkWhole(`${where}: Lq`, rows, 1, MAX_Q_LEN);
  checkWhole(`${where}: D`, dim, 1, MAX_HEAD_DIM);
}

function checkHeads(path: string, q: RowsTensor, k: RowsTensor): void {
  const where = whereIs(path, 'k');
  checkWhole(`${where}: Hkv`, k.heads, 1, MAX_HEADS);
  checkWhole(`${where}: T`, k.rows, 1, Number.MAX_SAFE_INTEGER);
  if (q.heads % k.heads === 0) return;
  throw new CheckpointError(`${where}: Hq (${q.heads}) must be a multiple of Hkv (${k.heads})`);
}

/** Throws CheckpointError unless a tensor has those of its sizes that are known. */
function checkSame(
  where: string,
  tensor: RowsTensor,
  known: Partial<Pick<RowsTensor, 'batch' | 'heads' | 'rows' | 'dim'>>,
  [heads, rows, dim]: readonly string[],
  because: string,
): void {
  const names = Object.keys(known) as (keyof typeof known)[];
  if (names.every((name) => tensor[name] === known[name])) return;
  const wanted = [known.batch ?? 'B', known.heads ?? heads, known.rows ?? rows, known.dim ?? dim];
  const { shape } = tensor;
  const got = shape.length === 4 ? '' : `, ${tensor.heads} heads of ${tensor.dim}`;
  throw new CheckpointError(
    `${where}: expected [${wanted.join(', ')}], ${because}; got ${list(shape)}${got}`,
  );
}

/** A tensor of three or four axes and floating-point elements; `given`: its heads, as an option says. */
function findRows(
  file: SafetensorsFile,
  path: string,
  name: string,
  [H, L, D, option]: readonly string[],
  given: number | undefined,
): RowsTensor {
  const where = whereIs(path, name);
  const wanted = `${where}: expected ${FLOATS.join(', ')} [B, ${H}, ${L}, ${D}]`;
  const { dtype, shape } = findTensor(file, wanted, name);
  if (!FLOATS.includes(dtype)) throw new CheckpointError(`${wanted}; got ${dtype} ${list(shape)}`);
  if (shape.length === 4) {
    const [batch, heads, rows, dim] = shape as [number, number, number, number];
    if (given === undefined || given === heads) return { name, shape, batch, heads, rows, dim };
    throw new CheckpointError(`${wanted} with ${H} ${given}, as ${option} says; got ${list(shape)}`);
  }
  if (shape.length !== 3 || given === undefined) {
    const also = shape.length === 3 ? `; ${option} would make it [B, ${L}, ${H} * ${D}]` : '';
    throw new CheckpointError(`${wanted}; got ${dtype} ${list(shape)}${also}`);
  }
  const [batch, rows, width] = shape as [number, number, number];
  if (width % given === 0) return { name, shape, batch, heads: given, rows, dim: width / given };
  const multiple = `[B, ${L}, ${H} * ${D}] with ${H} ${given}, as ${option} says`;
  throw new CheckpointError(`${where}: expected ${multiple}; got ${list(shape)}`);
}

/** Throws CheckpointError, which begins with what was wanted, where the file has no tensor of the name. */
export function findTensor(file: SafetensorsFile, wanted: string, name: string): TensorInfo {
  const { tensors } = file.header;
  const tensor = tensors.get(name);
  if (tensor) return tensor;
  const names = [...tensors.keys()].slice(0, 10).map(quote).join(', ');
  throw new CheckpointError(`${wanted}; not in the file, which has ${names || 'no tensors'}`);
}

export function whereIs(path: string, name: string): string {
  return `${path}: tensor ${quote(name)}`;
}

export function list(sizes: readonly number[]): string {
  return `[${sizes.join(', ')}]`;
}
