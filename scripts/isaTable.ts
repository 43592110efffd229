// isaTable.ts: the parts of docs/results.md that hold what GPU compilers make of the kernels.
import { familyTable, isaHeader, pipelineTable } from '../bench/isa/report.ts';
import { GqaError } from '../src/index.ts';
import { named, withParts } from './readmeParts.ts';
import type { NamedIsa } from './resultFiles.ts';

const FORM = 'NAME.json, families or NAME.json, CASES';

const WHAT = /^(\S+)\.json, (\w+)$/;

/** The text with all such tables made anew. Throws GqaError for a part that names no file or no cases. */
export function withIsa(readme: string, results: readonly NamedIsa[]): string {
  return withParts(readme, { kind: 'isa', form: FORM, make: (what) => part(what, results) });
}

/** A line for each family, or one for each fused kernel of the cases whose names begin so: `h32_kv8_d128_q1`. */
function part(what: string, results: readonly NamedIsa[]): string | undefined {
  const [, name, which] = WHAT.exec(what) ?? [];
  if (name === undefined || which === undefined) return undefined;
  const { result } = named(results, name);
  if (which === 'families') return `${isaHeader(result)}\n\n${familyTable(result)}`;
  const rows = result.results.filter(
    ({ variant, cases }) => variant && cases.some((id) => id.startsWith(`${which}_`)),
  );
  if (rows.length === 0) throw new GqaError('readme', `README: expected cases of "${what}", found none`);
  return pipelineTable(result, rows);
}
