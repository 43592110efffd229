// file.ts: safetensors files on disk, in Node: read tensor by tensor, written whole or not at all.

import { messageOf, ShapeError } from '../../device/errors.ts';
import { checkString, checkText, checkWhole, describe } from '../../device/options.ts';
import { open, type FileHandle } from 'node:fs/promises';
import { writeOutput } from '../../files/outputFile.ts';
import { allocate, checkBytes } from '../../files/memory.ts';
import { CheckpointError, quote } from './checkpointError.ts';
import {
  DTYPE_BYTES,
  PREFIX_BYTES,
  parseHeader,
  readHeaderLength,
  serializeHeader,
  tensorByteLength,
  toFloat32,
  type SafetensorsDtype,
  type SafetensorsHeader,
  type TensorInfo,
  type TensorSpec,
} from './safetensors.ts';
import { checkWrite } from './writeArguments.ts';

/** A tensor to write. `data` holds exactly shape × element size bytes, little-endian. */
export interface TensorData extends TensorSpec {
  readonly dtype: SafetensorsDtype;
  readonly data: ArrayBufferView;
}

// One read is well below the 2^31 bytes that a single call can ask for.
const READ_BYTES = 2 ** 28;
const NAMES_IN_MESSAGE = 10;
const LONG_HEADER = 2 ** 20;

/** An open safetensors file. Only the header is in memory; each read takes one tensor's bytes from the disk. */
export class SafetensorsFile {
  readonly header: SafetensorsHeader;
  /** Size of the whole file. */
  readonly byteLength: number;
  /** When it was last modified, in ms since 1970. */
  readonly modified: number;
  readonly #path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle, { header, byteLength, modified }: Opened) {
    this.#path = path;
    this.#handle = handle;
    this.header = header;
    this.byteLength = byteLength;
    this.modified = modified;
  }

  /** Opens a file and checks its header. Throws a CheckpointError for a file that cannot be opened or breaks the format. */
  static async open(path: string): Promise<SafetensorsFile> {
    checkString('SafetensorsFile.open: path', path);
    const handle = await open(path, 'r').catch((cause: unknown) => {
      throw failure(path, 'cannot be opened', cause);
    });
    try {
      return new SafetensorsFile(path, handle, await readHeader(handle, path));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The stored bytes of a tensor. Throws a CheckpointError for a name the file does not have. */
  async read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const { begin, end } = this.#find(name);
    return readRange(
      this.#handle,
      { begin: this.header.dataStart + begin, length: end - begin },
      this.#where(name),
    );
  }

  /** Fills `into` with the file's bytes from position `begin` on, of tensors or header alike. */
  async readBytes(begin: number, into: Uint8Array): Promise<void> {
    checkWhole('SafetensorsFile.readBytes: begin', begin, 0, this.byteLength);
    if (!(into instanceof Uint8Array)) {
      throw new ShapeError(`SafetensorsFile.readBytes: into: expected a Uint8Array, got ${describe(into)}`);
    }
    await fill(this.#handle, into, begin, this.#path);
  }

  /** A tensor of F32, F16 or BF16 as f32, row-major. Throws a CheckpointError for an unknown name or another dtype. */
  async readFloat32(name: string): Promise<{ shape: readonly number[]; data: Float32Array<ArrayBuffer> }> {
    const { dtype, shape } = this.#find(name);
    this.checkFloat32(name);
    return { shape, data: toFloat32(dtype, await this.read(name), this.#where(name)) };
  }

  /** Throws a CheckpointError for a tensor whose values are more than memory in one piece can hold. */
  checkFloat32(name: string): void {
    const { dtype, shape } = this.#find(name);
    try {
      checkBytes(tensorByteLength('F32', shape));
    } catch (cause) {
      const what = `${dtype} [${shape.join(', ')}] as f32 ${messageOf(cause)}`;
      throw new CheckpointError(`${this.#where(name)}: ${what}`, { cause });
    }
  }

  /** Closes the file; later reads throw. May be called twice. */
  async close(): Promise<void> {
    await this.#handle.close();
  }

  #where(name: string): string {
    return `${this.#path}: tensor ${quote(name)}`;
  }

  #find(name: string): TensorInfo {
    checkText('SafetensorsFile: name', name);
    const tensor = this.header.tensors.get(name);
    if (tensor) return tensor;
    const names = [...this.header.tensors.keys()];
    const listed = names.slice(0, NAMES_IN_MESSAGE).map(quote).join(', ');
    const rest = names.length > NAMES_IN_MESSAGE ? ` and ${names.length - NAMES_IN_MESSAGE} more` : '';
    throw new CheckpointError(
      `${this.#where(name)}: not in the file, which has ${names.length === 0 ? 'no tensors' : listed + rest}`,
    );
  }
}

/**
 * Writes a safetensors file to `path`: a regular file is replaced whole or stays as it was. The tensors are
 * laid out by falling element size, else in the order given. Throws a CheckpointError, before anything is written if
 * names, shapes or data lengths are wrong; a ShapeError for what is not such arguments at all.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorData[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  checkWrite(path, tensors, metadata);
  // Wide elements first: every tensor then begins on a multiple of its element size, as readers that map the file need.
  const ordered = tensors.toSorted((a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype]);
  const header = serializeHeader(ordered, metadata, path);
  for (const { name, dtype, shape, data } of ordered) {
    const bytes = tensorByteLength(dtype, shape);
    if (data.byteLength !== bytes) {
      const given = `${dtype} [${shape.join(', ')}] takes ${bytes} bytes, but its data has ${data.byteLength}`;
      throw new CheckpointError(`${path}: tensor ${quote(name)}: ${given}`);
    }
  }
  try {
    await writeOutput(path, [header, ...ordered.map(({ data }) => data)]);
  } catch (cause) {
    throw failure(path, 'could not be written', cause);
  }
}

interface Opened {
  readonly header: SafetensorsHeader;
  readonly byteLength: number;
  readonly modified: number;
}

async function readHeader(handle: FileHandle, path: string): Promise<Opened> {
  const stat = await handle.stat();
  if (!stat.isFile()) throw new CheckpointError(`${path}: is not a regular file`);
  const prefix = await readRange(handle, { begin: 0, length: Math.min(PREFIX_BYTES, stat.size) }, path);
  const length = readHeaderLength(prefix, stat.size, path);
  if (length > LONG_HEADER) await checkEnds(handle, length, path);
  const json = await readRange(handle, { begin: PREFIX_BYTES, length }, path);
  return { header: parseHeader(json, stat.size, path), byteLength: stat.size, modified: stat.mtimeMs };
}

/** Looks at both ends of a long header before there is memory for it: a hole or another kind of file has neither. */
async function checkEnds(handle: FileHandle, length: number, path: string): Promise<void> {
  const [first] = await readRange(handle, { begin: PREFIX_BYTES, length: 1 }, path);
  const [last] = await readRange(handle, { begin: PREFIX_BYTES + length - 1, length: 1 }, path);
  if (first === 0x7b && (last === 0x7d || last === 0x20)) return;
  throw new CheckpointError(
    `${path}: header of ${length} bytes must begin with "{" and end with "}" or spaces`,
  );
}

/** Exactly `length` bytes from position `begin` of the file. */
async function readRange(
  handle: FileHandle,
  range: { begin: number; length: number },
  where: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = memory(range.length, where);
  await fill(handle, bytes, range.begin, where);
  return bytes;
}

function memory(bytes: number, where: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(allocate(bytes));
  } catch (cause) {
    throw new CheckpointError(`${where}: ${messageOf(cause)}`, { cause });
  }
}

async function fill(handle: FileHandle, bytes: Uint8Array, begin: number, where: string): Promise<void> {
  let filled = 0;
  while (filled < bytes.byteLength) {
    const { bytesRead } = await handle
      .read(bytes, filled, Math.min(READ_BYTES, bytes.byteLength - filled), begin + filled)
      .catch((cause: unknown) => {
        throw failure(where, 'cannot be read', cause);
      });
    if (bytesRead === 0) {
      throw new CheckpointError(
        `${where}: the file ends at byte ${begin + filled}, ${bytes.byteLength - filled} bytes early; was it cut while open?`,
      );
    }
    filled += bytesRead;
  }
}

function failure(where: string, what: string, cause: unknown): CheckpointError {
  return new CheckpointError(`${where}: ${what}: ${messageOf(cause)}`, {
    cause,
  });
}
