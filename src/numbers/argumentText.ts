// argumentText.ts: numbers and words as people type them on a command line and in an address: lists, ranges, 4k. Throws GqaError "usage".
import { GqaError, wholeText } from '../device/errors.ts';
import { parseTokens } from './tokens.ts';

/** A whole number of at least `min`; the message names what was expected and what was given. */
export function wholeNumber(text: string, min = 1, max = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text.trim()) || !Number.isSafeInteger(value) || value < min || value > max) {
    throw bad(`expected ${wholeText(min, max, value)}, got "${text}"`);
  }
  return value;
}

/** A number of tokens of at least `min`: 4096 or 4k (1024 each) or 1M. */
export function tokenCount(text: string, min = 1, max = Number.MAX_SAFE_INTEGER): number {
  const value = parseTokens(text);
  if (value === undefined || !Number.isSafeInteger(value) || value < min || value > max) {
    throw bad(`expected ${wholeText(min, max, value)}, such as 4096 or 4k, got "${text}"`);
  }
  return value;
}

/**
 * A list of whole numbers: comma lists and the ranges of llama-bench: `first-last`, `first-last+step`, `first-last*factor`.
 * "1-4,8" -> [1, 2, 3, 4, 8]; "1024-16384*4" -> [1024, 4096, 16384].
 */
export function wholeNumbers(text: string, min = 1, max = Number.MAX_SAFE_INTEGER): number[] {
  return numbers(text, (part, least = min) => wholeNumber(part, least, max));
}

/** A list of numbers of tokens, as `wholeNumbers` reads one: "1k-16k*4" -> [1024, 4096, 16384]. */
export function tokenCounts(text: string, min = 1, max = Number.MAX_SAFE_INTEGER): number[] {
  return numbers(text, (part, least = min) => tokenCount(part, least, max));
}

/** Reads one number of a list, of at least `least`, or of the least that the list allows. */
type ReadNumber = (part: string, least?: number) => number;

const RANGE = /^(\w+)-(\w+)(?:([+*])(\w+))?$/;

function numbers(text: string, read: ReadNumber): number[] {
  const values = text.split(',').flatMap((part) => {
    const range = RANGE.exec(part.trim());
    return range ? expandRange(range, part, read) : [read(part)];
  });
  return [...new Set(values)];
}

const MAX_RANGE = 1000;

function expandRange([, from, to, sign, by]: RegExpExecArray, part: string, read: ReadNumber): number[] {
  const [first, last] = [read(from!), read(to!)];
  const isFactor = sign === '*';
  const step = by === undefined ? 1 : isFactor ? wholeNumber(by, 2) : read(by, 1);
  if (last < first) throw bad(`expected an ascending range, got "${part}"`);
  if (first === 0 && isFactor) throw bad(`a factor cannot start from 0, got "${part}"`);
  const values: number[] = [];
  for (let v = first; v <= last; v = isFactor ? v * step : v + step) {
    if (values.length === MAX_RANGE) {
      throw bad(`expected at most ${MAX_RANGE} values in a range, got "${part}"`);
    }
    values.push(v);
  }
  return values;
}

/** A comma list of words from a fixed set. */
export function choiceList<T extends string>(text: string, choices: readonly T[]): T[] {
  return text.split(',').map((word) => {
    const known = choices.find((choice) => choice === word.trim());
    if (known === undefined) throw bad(`expected ${choices.join(', ')}, got "${word.trim()}"`);
    return known;
  });
}

function bad(message: string): GqaError {
  return new GqaError('usage', message);
}
