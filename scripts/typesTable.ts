// typesTable.ts: the parts of the README that say what the element types of a cache hold and lose; made without a device.
import { typesTable } from '../bench/studies/typeErrors.ts';
import { withParts } from './readmeParts.ts';

const FORM = 'head dim N, N tokens';

const WHAT = /^head dim (\d+), (\d+) tokens$/;

/** The text with all tables of element types made anew. Throws GqaError for a part of another form. */
export function withTypes(readme: string): string {
  return withParts(readme, { kind: 'types', form: FORM, make: part });
}

function part(what: string): string | undefined {
  const [, headDim, tokens] = WHAT.exec(what) ?? [];
  if (headDim === undefined) return undefined;
  return typesTable({ headDim: Number(headDim), tokens: Number(tokens) });
}
