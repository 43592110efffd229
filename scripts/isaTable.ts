// isaTable.ts: the parts of docs/results.md that hold what GPU compilers make of the kernels.
import { peerTable } from '../bench/isa/peer/peerTable.ts';
import { familyTable, isaHeader, ourRows, pipelineTable } from '../bench/isa/report.ts';
import { GqaError } from '../src/index.ts';
import { named, withParts } from './readmeParts.ts';
import type { NamedIsa } from './resultFiles.ts';

const FORM = 'NAME.json, families or NAME.json, peer or NAME.json, CASES';

const WHAT = /^(\S+)\.json, (\w+)$/;

const NO_PEER = 'This result has no kernels of a peer.';

/** The text with all such tables made anew. Throws GqaError for a part that names no file or no cases. */
export function withIsa(readme: string, results: readonly NamedIsa[]): string {
  return withParts(readme, { kind: 'isa', form: FORM, make: (what) => part(what, results) });
}

/** A line for each family, one for each case of ours beside a peer's, or one for each fused kernel of the cases whose names begin so: `h32_kv8_d128_q1`. */
function part(what: string, results: readonly NamedIsa[]): string | undefined {
  const [, name, which] = WHAT.exec(what) ?? [];
  if (name === undefined || which === undefined) return undefined;
  const { result } = named(results, name);
  if (which === 'families') return `${isaHeader(result)}\n\n${familyTable(result)}`;
  if (which === 'peer') return peerTable(result) ?? NO_PEER;
  const rows = ourRows(result).filter(
    ({ variant, cases }) => variant && cases.some((id) => id.startsWith(`${which}_`)),
  );
  if (rows.length === 0) throw new GqaError('readme', `README: expected cases of "${what}", found none`);
  return pipelineTable(result, rows);
}
