// configJson.ts: the text of a config.json as Python writes it: NaN, Infinity and a byte order mark are read.
import { GqaError, messageOf } from '../device/errors.ts';
import { checkText } from '../device/options.ts';

// Strings match first, so that a word inside one is left alone.
const TOKEN = /"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g;

/** Stands for NaN, in as many characters, in text that JSON.parse reads: a string of one noncharacter. */
const NAN = '"\uFFFF"';

/**
 * The same text as JSON that strict readers take: a byte order mark becomes a blank, and Python's words NaN, Infinity
 * and -Infinity become values. Every character keeps its place, so an edit of this text can be made in the original.
 */
export function strictConfigJson(text: string): string {
  const words = text.replace(TOKEN, (token) => {
    if (token.startsWith('"')) return token;
    // JSON.parse reads a number past the range of a double as infinity.
    return token === 'NaN' ? NAN : token.replace('Infinity', '1e999   ');
  });
  return words.replace(/^\uFEFF/, ' ');
}

/**
 * The value of a config.json of the text `text`. `where` is its path, for messages. Text that is not JSON, and a key that stands twice in
 * one object (loaders keep the last, editors change the first), is a GqaError with the code 'config'.
 */
export function parseConfigJson(text: string, where: string): unknown {
  checkText('parseConfigJson: text', text);
  checkText('parseConfigJson: where', where);
  const strict = strictConfigJson(text);
  let value: unknown;
  try {
    value = JSON.parse(strict, (_, field: unknown) => (field === '\uFFFF' ? NaN : field));
  } catch (cause) {
    throw new GqaError(
      'config',
      `${where}: expected a JSON file, got text that is not JSON: ${messageOf(cause)}`,
      { cause },
    );
  }
  const twice = repeatedKey(strict);
  if (twice !== undefined) {
    throw new GqaError('config', `${where}: expected each field once in an object, got "${twice}" twice`);
  }
  return value;
}

/** A key that an object of `json`, valid JSON, has twice. */
function repeatedKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (token.endsWith(':')) {
      const key = String(JSON.parse(token.slice(0, -1)));
      if (open.at(-1)?.has(key)) return key;
      open.at(-1)?.add(key);
    }
  }
  return undefined;
}
