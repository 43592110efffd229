// usage.ts: what every subcommand shares: option parsers with clear messages, and the exit codes.
import { InvalidArgumentError } from 'commander';

/** Exit codes: 1 usage error, failure or wrong numeric result; 3 no usable adapter. */
export const EXIT = { ok: 0, failure: 1, noAdapter: 3 } as const;

/** Parses a whole number of at least `min`; the message names what was expected and what was given. */
export function wholeNumber(text: string, min = 1, max = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text.trim()) || !Number.isSafeInteger(value) || value < min || value > max) {
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}, got "${text}".`);
  }
  return value;
}

const RANGE = /^(\d+)-(\d+)(?:([+*])(\d+))?$/;

/**
 * Parses a list of whole numbers: comma lists and the ranges of llama-bench: `first-last`, `first-last+step`,
 * `first-last*factor`. "1-4,8" -> [1, 2, 3, 4, 8]; "1024-16384*4" -> [1024, 4096, 16384].
 */
export function wholeNumbers(text: string, min = 1, max = Number.MAX_SAFE_INTEGER): number[] {
  const values = text.split(',').flatMap((part) => {
    const range = RANGE.exec(part.trim());
    return range ? expandRange(range, part, min, max) : [wholeNumber(part, min, max)];
  });
  return [...new Set(values)];
}

const MAX_RANGE = 1000;

function expandRange(range: RegExpExecArray, part: string, min: number, max: number): number[] {
  const first = wholeNumber(range[1]!, min, max);
  const last = wholeNumber(range[2]!, min, max);
  const step = range[4] === undefined ? 1 : wholeNumber(range[4], range[3] === '*' ? 2 : 1);
  if (last < first) throw new InvalidArgumentError(`expected an ascending range, got "${part}".`);
  if (first === 0 && range[3] === '*')
    throw new InvalidArgumentError(`a factor cannot start from 0, got "${part}".`);
  const values: number[] = [];
  for (let v = first; v <= last; v = range[3] === '*' ? v * step : v + step) {
    if (values.length === MAX_RANGE) {
      throw new InvalidArgumentError(`expected at most ${MAX_RANGE} values in a range, got "${part}".`);
    }
    values.push(v);
  }
  return values;
}

/** Parses a comma list of words from a fixed set. */
export function choiceList<T extends string>(text: string, choices: readonly T[]): T[] {
  return text.split(',').map((word) => {
    const known = choices.find((choice) => choice === word.trim());
    if (known === undefined)
      throw new InvalidArgumentError(`expected ${choices.join(', ')}, got "${word.trim()}".`);
    return known;
  });
}
