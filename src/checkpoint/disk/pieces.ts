// pieces.ts: a source shard in pieces, each with its place in the result, read a little ahead of the work.
import type { SafetensorsFile } from '../file.ts';
import type { ConversionPlan, TensorPlan } from '../plan.ts';
import { tensorByteLength, type TensorInfo } from '../safetensors.ts';
import { AHEAD, PIECE, type Memory } from './writes.ts';

/** A stretch of the source file. Copied stretches have a place in the result; a tensor's are gathered in its buffer. */
export interface Piece {
  readonly begin: number;
  readonly length: number;
  readonly copyTo?: number;
  readonly tensor?: TensorJob;
}

export interface TensorJob {
  readonly plan: TensorPlan;
  readonly source: TensorInfo;
  readonly begin: number;
  readonly to: number;
}

/** Bytes of the source tensor. */
export function sizeOf({ source }: TensorJob): number {
  return source.end - source.begin;
}

/** The source's tensors in pieces, in their order; neighbouring ones that are copied are one stretch. */
export function piecesOf(plan: ConversionPlan, source: SafetensorsFile, headerBytes: number): Piece[] {
  const { dataStart, tensors } = source.header;
  const pieces: Piece[] = [];
  let to = headerBytes;
  let stretch: { begin: number; end: number; copyTo: number } | undefined;
  const flush = () => {
    if (stretch) pieces.push(...cut(stretch.begin, stretch.end, { copyTo: stretch.copyTo }));
    stretch = undefined;
  };
  for (const info of tensors.values()) {
    const planned = plan.tensors.get(info.name)!;
    const [begin, end] = [dataStart + info.begin, dataStart + info.end];
    if (planned.rewrite) {
      flush();
      pieces.push(...cut(begin, end, { tensor: { plan: planned, source: info, begin, to } }));
    } else if (stretch) stretch.end = end;
    else stretch = { begin, end, copyTo: to };
    to += tensorByteLength(info.dtype, planned.to);
  }
  flush();
  return pieces;
}

function cut(begin: number, end: number, what: { copyTo?: number; tensor?: TensorJob } = {}): Piece[] {
  const count = Math.ceil((end - begin) / PIECE);
  return Array.from({ length: count }, (_, i) => ({
    begin: begin + i * PIECE,
    length: Math.min(PIECE, end - begin - i * PIECE),
    ...(what.copyTo !== undefined && { copyTo: what.copyTo + i * PIECE }),
    ...(what.tensor && { tensor: what.tensor }),
  }));
}

/** The pieces with their bytes, in order, read a little ahead of the consumer. */
export async function* readAhead(
  source: SafetensorsFile,
  pieces: readonly Piece[],
  memory: Memory,
): AsyncGenerator<{ piece: Piece; bytes: Uint8Array<ArrayBuffer> }> {
  const queue: { piece: Piece; bytes: Uint8Array<ArrayBuffer>; read: Promise<void> }[] = [];
  const buffers = new Map<TensorJob, ArrayBuffer>();
  let next = 0;
  let ahead = 0;
  try {
    while (next < pieces.length || queue.length > 0) {
      while (next < pieces.length && ahead < AHEAD) {
        const piece = pieces[next++]!;
        const bytes = memoryFor(piece, buffers, memory);
        const read = source.readBytes(piece.begin, bytes);
        // It is awaited in its turn; until then a failure is no unhandled rejection.
        read.catch(() => undefined);
        queue.push({ piece, bytes, read });
        ahead += piece.length;
      }
      const { piece, bytes, read } = queue.shift()!;
      await read;
      ahead -= piece.length;
      yield { piece, bytes };
    }
  } finally {
    // The file must not be closed under a read.
    await Promise.allSettled(queue.map(({ read }) => read));
  }
}

function memoryFor(
  { tensor, begin, length }: Piece,
  buffers: Map<TensorJob, ArrayBuffer>,
  memory: Memory,
): Uint8Array<ArrayBuffer> {
  if (!tensor) return new Uint8Array(memory.take(PIECE), 0, length);
  const buffer = buffers.get(tensor) ?? memory.take(sizeOf(tensor));
  const at = begin - tensor.begin;
  if (at + length < sizeOf(tensor)) buffers.set(tensor, buffer);
  else buffers.delete(tensor);
  return new Uint8Array(buffer, at, length);
}
