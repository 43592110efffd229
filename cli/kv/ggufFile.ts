// ggufFile.ts: the shape of a model from its GGUF file on disk; no more than the header is read.
import { open } from 'node:fs/promises';
import { GqaError, messageOf } from '../../src/device/errors.ts';
import type { ConfigShape } from '../../src/models/config.ts';
import { shapeFromGguf } from '../../bench/kv/ggufShape.ts';
import { readGguf } from '../../bench/kv/readGguf.ts';

/** The shape that the GGUF file at `path` describes. Else a GqaError. */
export async function loadGgufShape(path: string): Promise<ConfigShape> {
  const file = await open(path).catch((cause: unknown) => {
    throw new GqaError('config', `${path}: expected a readable GGUF file: ${messageOf(cause)}`, { cause });
  });
  try {
    const { size } = await file.stat();
    const read = async (begin: number, end: number) => {
      const bytes = new Uint8Array(end - begin);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, begin);
      return bytes.subarray(0, bytesRead);
    };
    return shapeFromGguf(await readGguf({ size, read }, path), path);
  } finally {
    await file.close();
  }
}
