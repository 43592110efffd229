// deflate.ts: raw deflate by the browser's own streams, with an end to what comes out.

const NEWER =
  'this browser cannot compress (CompressionStream); Chrome and Edge from 103, Firefox from 113 and Safari from 16.4 can';

/** Whether this browser has the streams; without them there are files. */
function checkStreams(): void {
  if (typeof CompressionStream === 'undefined' || typeof DecompressionStream === 'undefined')
    throw new Error(NEWER);
}

/** Throws in a browser without compression streams. */
export async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  checkStreams();
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Throws for damaged data, and for what grows beyond so many bytes, before it has. */
export async function inflate(
  bytes: Uint8Array<ArrayBuffer>,
  most: number,
): Promise<Uint8Array<ArrayBuffer>> {
  checkStreams();
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    parts.push(value);
    length += value.length;
    if (length <= most) continue;
    await reader.cancel();
    throw new Error(`it grows beyond ${most / 2 ** 20} MiB`);
  }
}
