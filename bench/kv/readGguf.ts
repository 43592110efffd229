// readGguf.ts: the metadata in the header of a GGUF file, in Node and in a browser, whatever the file's size.
import { GqaError, messageOf } from '../../src/device/errors.ts';
import type { ByteSource } from '../../src/checkpoint/model/fileParts.ts';

/** Values by key, as the file has them: whole numbers of 64 bits are bigint. */
export type GgufMetadata = Readonly<Record<string, unknown>>;

const MAGIC = 'GGUF';

/**
 * Reads the header of a GGUF file, in pieces of two megabytes, and none of its weights. `where` is its name, for messages. A file
 * that is none, is damaged or ends within its header is a GqaError with the code 'config'.
 */
export async function readGguf(source: ByteSource, where: string): Promise<GgufMetadata> {
  const start = await read(source, 0, Math.min(MAGIC.length, source.size), where);
  if (new TextDecoder().decode(start) !== MAGIC)
    throw new GqaError(
      'config',
      `${where}: expected a GGUF file, got one that does not begin with "${MAGIC}"`,
    );
  const { gguf } = await import('@huggingface/gguf');
  const parsed = await gguf('https://file.invalid/', { fetch: serve(source, where) }).catch(
    (cause: unknown) => {
      if (cause instanceof GqaError) throw cause;
      throw new GqaError('config', `${where}: this GGUF file cannot be read: ${messageOf(cause)}`, { cause });
    },
  );
  // The library reads zeros where a file has ended.
  const end = parsed.tensorInfoByteRange[1];
  if (end > source.size)
    throw new GqaError('config', `${where}: expected a header of ${end} bytes, got a file of ${source.size}`);
  return { ...parsed.metadata };
}

/** The library asks for ranges of an address; here they are parts of the file, and nothing is requested. */
function serve(source: ByteSource, where: string): typeof fetch {
  return async (_, init) => {
    const range = new Headers(init?.headers).get('Range');
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
    const [begin, end] = [Number(first), Math.min(Number(last) + 1, source.size)];
    if (!(begin < end)) throw new GqaError('config', `${where}: this GGUF file ends within its header`);
    const bytes = await read(source, begin, end, where);
    return new Response(bytes as Uint8Array<ArrayBuffer>, {
      headers: { 'Content-Range': `bytes ${begin}-${end - 1}/${source.size}` },
    });
  };
}

async function read(source: ByteSource, begin: number, end: number, where: string): Promise<Uint8Array> {
  return source.read(begin, end).catch((cause: unknown) => {
    throw new GqaError('config', `${where}: cannot be read: ${messageOf(cause)}`, { cause });
  });
}
