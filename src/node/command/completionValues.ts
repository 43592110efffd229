// completionValues.ts: what may stand in place of an option's value or an argument, as far as commander is not told.
import type { Argument, Option } from 'commander';

/** What a shell can offer where a value is due; nothing where it is a number, say. */
export interface Values {
  /** Plain words: letters, digits, `-`, `_`, `.` and `/`. */
  readonly words?: readonly string[];
  /** Several of the words may be given, with commas between. */
  readonly list?: boolean;
  readonly paths?: 'files' | 'folders';
  /** The option may be given several times. */
  readonly repeats?: boolean;
}

const KNOWN = new WeakMap<Option | Argument, Values>();

/** Says what an option or argument takes; returns it. */
export function taking<T extends Option | Argument>(slot: T, values: Values): T {
  KNOWN.set(slot, values);
  return slot;
}

const METAVAR = /[<[]([^>\]]+?)(?:\.\.\.)?[>\]]/;

/** The name of the value in `--out <file>`; undefined for an option without one. */
export function valueName({ flags }: Option): string | undefined {
  return METAVAR.exec(flags)?.[1];
}

/** What was said of it, else its choices, else paths where its name is `file` or `folder`. */
export function valuesOf(slot: Option | Argument): Values {
  const known = KNOWN.get(slot);
  if (known) return known;
  if (slot.argChoices) return { words: slot.argChoices };
  const name = 'flags' in slot ? valueName(slot) : slot.name();
  if (name === 'file') return { paths: 'files' };
  return name === 'folder' ? { paths: 'folders' } : {};
}
