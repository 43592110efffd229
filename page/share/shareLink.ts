// shareLink.ts: a result in the fragment of the page's address, and back: nothing is sent anywhere. No DOM.
import { messageOf } from '../../src/device/errors.ts';
import { ofThisSuite } from '../../bench/schema/readResult.ts';
import type { BenchResult } from '../../bench/schema/schema.ts';
import type { StoredResult } from '../../bench/schema/storedSchema.ts';
import { fromBase64Url, toBase64Url } from './base64Url.ts';
import { deflate, inflate } from './deflate.ts';
import { compactText, expanded } from './compact.ts';
import type { Json } from './delta.ts';
import { checkPlausible } from './plausible.ts';
import { summaryOf } from './summary.ts';

/** Before the result in an address. */
const PREFIX = '#compare=';

/** Bumped when older pages cannot read a link any more; its first byte. */
const VERSION = 1;

/** Longer links are cut by many programs that they are sent through. */
const MOST_CHARACTERS = 32_000;

/** Bytes of text that a link may grow to; the longest links hold a third of it. */
const MOST_BYTES = 2 ** 20;

/** Version and checksum. */
const HEAD_BYTES = 5;

/** A result that an address holds; or why it cannot be read, as a sentence. */
export type SharedLink =
  | { readonly state: 'none' }
  | { readonly state: 'read'; readonly result: BenchResult }
  | { readonly state: 'bad'; readonly why: string };

/**
 * The fragment of an address that holds a result as `summaryOf` has it: `#compare=...`, all letters, digits, - and _, the
 * last of them a letter or a digit. Throws an Error with a sentence for people where the browser cannot compress and where the
 * result is too long for a link.
 */
export async function shareLink(result: BenchResult): Promise<string> {
  let text = compactText(JSON.parse(JSON.stringify(summaryOf(result))) as Json);
  for (;;) {
    const link = PREFIX + toBase64Url(withHead(await deflate(new TextEncoder().encode(text))));
    if (link.length > MOST_CHARACTERS)
      throw new Error(
        `This result is too long for a link (${result.results.length} rows); save it as JSON instead.`,
      );
    // Programs that make links of text leave - and _ at the end out. A blank more is no other result.
    if (/[a-z0-9]$/i.test(link)) return link;
    text += ' ';
  }
}

/** Reads the fragment of an address. Never rejects: whatever it holds, it is read, no shared result, or bad. */
export async function readShareLink(fragment: string): Promise<SharedLink> {
  // Some sites that show a link write its "=" as %3D.
  const hash = fragment.replace(/^#compare%3D/i, PREFIX);
  if (!hash.startsWith(PREFIX)) return { state: 'none' };
  try {
    if (hash.length > MOST_CHARACTERS) throw new Error('it is longer than this page makes any');
    return { state: 'read', result: await resultOf(hash.slice(PREFIX.length)) };
  } catch (error) {
    return { state: 'bad', why: `The link cannot be read: ${messageOf(error)}.` };
  }
}

async function resultOf(encoded: string): Promise<BenchResult> {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(await inflate(bodyOf(encoded), MOST_BYTES));
  const result = ofThisSuite(expanded(text) as unknown as StoredResult, 'the result');
  checkPlausible(result);
  return result;
}

/** The compressed part. Throws where a character was lost or changed: the checksum tells. */
function bodyOf(encoded: string): Uint8Array<ArrayBuffer> {
  const bytes = fromBase64Url(encoded);
  if (bytes === undefined || bytes.length <= HEAD_BYTES)
    throw new Error('a part of it is missing or changed');
  if (bytes[0] !== VERSION)
    throw new Error(
      `it was made by another version of this page (format ${bytes[0]}, this page reads ${VERSION})`,
    );
  const body = bytes.slice(HEAD_BYTES);
  const said = new DataView(bytes.buffer).getUint32(1);
  if (said !== checksum(body)) throw new Error('a part of it is missing or changed');
  return body;
}

function withHead(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEAD_BYTES + body.length);
  bytes[0] = VERSION;
  new DataView(bytes.buffer).setUint32(1, checksum(body));
  bytes.set(body, HEAD_BYTES);
  return bytes;
}

/** FNV-1a of 32 bits: raw deflate has no checksum of its own, and a changed digit would be another result. */
function checksum(bytes: Uint8Array): number {
  return bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5) >>> 0;
}
