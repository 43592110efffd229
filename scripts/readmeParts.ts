// readmeParts.ts: the parts of a text that are made from files: each stands between two comments, the first says from which.
import { GqaError } from '../src/index.ts';
import { RESULTS } from './resultFiles.ts';

/** A kind of parts, from `<!-- KIND: WHAT; made by npm run readme -->` to `<!-- end of KIND -->`. */
export interface PartKind {
  readonly kind: string;
  /** The form of WHAT, for people. */
  readonly form: string;
  /** What stands in the part that names `what`; undefined where that is not of the form. */
  readonly make: (what: string) => string | undefined;
}

const MADE_BY = '; made by npm run readme';

/** The text with all parts of a kind made anew. Throws GqaError where one is not whole, or there is none. */
export function withParts(text: string, { kind, form, make }: PartKind): string {
  const [begin, end] = [`<!-- ${kind}: `, `<!-- end of ${kind} -->`];
  const whole = new RegExp(`^${begin}(.*) -->\\n(?:[\\s\\S]*?\\n)?${end}$`, 'gm');
  let parts = 0;
  const made = text.replace(whole, (_, said: string) => {
    parts++;
    const inside = said.endsWith(MADE_BY) ? make(said.slice(0, -MADE_BY.length)) : undefined;
    if (inside !== undefined) return [`${begin}${said} -->`, '', inside, '', end].join('\n');
    throw new GqaError('readme', `README: expected "${kind}: ${form}${MADE_BY}", got "${kind}: ${said}"`);
  });
  if (parts === 0 || parts !== text.split(begin).length - 1) {
    throw new GqaError(
      'readme',
      `README: expected parts from ${begin}${form}${MADE_BY} --> to ${end}, got ${parts} whole ones`,
    );
  }
  return made;
}

/** The file that a part names. Throws GqaError when there is none. */
export function named<T extends { readonly name: string }>(files: readonly T[], name: string): T {
  const found = files.find((each) => each.name === name);
  if (found) return found;
  const known = files.map((each) => `${each.name}.json`).join(', ') || 'none';
  throw new GqaError('readme', `README: expected a file of ${RESULTS} (${known}), got "${name}.json"`);
}
