// usage.ts: what every subcommand shares: option parsers with clear messages, and the exit codes.
import { InvalidArgumentError } from 'commander';
import { GqaError } from '../../device/errors.ts';
import * as read from '../../numbers/argumentText.ts';

/** Exit codes: 1 usage error, failure or wrong numeric result; 3 no usable adapter. */
export const EXIT = { ok: 0, failure: 1, noAdapter: 3 } as const;

/** The same reader with commander's own error, which it shows with the name of the option. */
function ofOption<A extends unknown[], T>(reader: (...input: A) => T): (...input: A) => T {
  return (...input) => {
    try {
      return reader(...input);
    } catch (error) {
      throw error instanceof GqaError ? new InvalidArgumentError(`${error.message}.`) : error;
    }
  };
}

export const wholeNumber = ofOption(read.wholeNumber);
export const tokenCount = ofOption(read.tokenCount);
export const wholeNumbers = ofOption(read.wholeNumbers);
export const tokenCounts = ofOption(read.tokenCounts);

/** A comma list of words from a fixed set. */
export function choiceList<T extends string>(text: string, choices: readonly T[]): T[] {
  return ofOption(() => read.choiceList(text, choices))();
}
