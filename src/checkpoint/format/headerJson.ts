// headerJson.ts: the JSON text of a safetensors header, with the checks that JSON.parse does not make.
import { isRecord } from '../../device/options.ts';
import { describe, fail, quote, shorten } from './checkpointError.ts';

/** Parses a header's bytes to an object. Throws a CheckpointError for bad UTF-8 or JSON, another root, a key given twice. */
export function parseJson(headerJson: Uint8Array, where: string): Record<string, unknown> {
  let text = '';
  let root: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(headerJson);
    root = JSON.parse(text);
  } catch (cause) {
    fail(`${where}: header is not ${text === '' ? 'UTF-8' : 'JSON'}: ${shorten(String(cause))}`, { cause });
  }
  if (!isRecord(root)) fail(`${where}: header must be an object, got ${describe(root)}`);
  if (!text.startsWith('{')) fail(`${where}: header must begin with "{", got ${quote(text.slice(0, 1))}`);
  checkStrings(text, where);
  return root;
}

/** JSON.parse keeps the last of equal keys and lets unpaired surrogates pass: looks for both in `text`, valid JSON. */
function checkStrings(text: string, where: string): void {
  const colon = /[ \t\n\r]*:/y;
  const open: { keys: Set<string>; last: string }[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '{') open.push({ keys: new Set(), last: '' });
    if (text[i] === '}') open.pop();
    if (text[i] !== '"') continue;
    const start = i++;
    while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
    const value = String(JSON.parse(text.slice(start, i + 1)));
    if (/\p{Surrogate}/u.test(value)) fail(`${where}: string ${quote(value)} has an unpaired surrogate`);
    colon.lastIndex = i + 1;
    const object = open.at(-1);
    if (!object || !colon.test(text)) continue;
    if (object.keys.has(value)) {
      const owner = open.length > 1 ? `${quote(open[0]!.last)}: field` : 'tensor name';
      fail(`${where}: ${owner} ${quote(value)} appears twice`);
    }
    object.keys.add(value);
    object.last = value;
  }
}
