// peerTable.ts: our kernels beside a peer's by the same compilers: a line for each family and case.
import { markdownTable, type Column } from '../../text/format.ts';
import { OUR_ENGINE, type IsaResult, type IsaRow } from '../../schema/isaSchema.ts';
import { bytesPerRow, instructionsPerRow } from '../figures.ts';
import { spilled } from '../statistics.ts';
import { PEER_ATTENTION } from './peer.ts';

/** Two rows of a family and case: the kernels that walk the cache. */
interface Pair {
  readonly ours: IsaRow;
  readonly theirs: IsaRow;
}

const COLUMNS: readonly Column[] = [
  { title: 'family', align: 'left' },
  { title: 'step', align: 'left' },
  { title: 'instructions', align: 'right' },
  { title: 'fewer', align: 'right' },
  { title: 'bytes', align: 'right' },
  { title: 'fewer', align: 'right' },
  { title: 'registers', align: 'right' },
  { title: 'resident', align: 'right' },
  { title: 'spilling', align: 'right' },
];

/** The table under a line that says whose figures they are; undefined for a result without a peer. */
export function peerTable(result: IsaResult): string | undefined {
  const pairs = pairsOf(result);
  const [first] = pairs;
  if (!first) return undefined;
  const title = `${OUR_ENGINE} : ${first.theirs.engine}; instructions and bytes of the loops over the cache, for each query row and key`;
  return `${title}\n\n${markdownTable(COLUMNS, pairs.map(cellsOf))}`;
}

/** A peer's kernels with ours for the same step; the chosen one, as a step has one that walks the cache. */
function pairsOf({ results }: IsaResult): Pair[] {
  return results
    .filter(({ kernel }) => kernel === PEER_ATTENTION)
    .flatMap((theirs) => {
      const ours = results.find(
        ({ family, variant, cases }) =>
          variant && family === theirs.family && cases.includes(theirs.cases[0]!),
      );
      return ours ? [{ ours, theirs }] : [];
    });
}

function cellsOf({ ours, theirs }: Pair): string[] {
  const both = (of: (row: IsaRow) => string) => beside(of(ours), of(theirs));
  const figure = (of: (row: IsaRow) => number | undefined, decimals: number) => {
    const [own, their] = [of(ours), of(theirs)];
    const times = own === undefined || their === undefined ? '' : `${(their / own).toFixed(1)}×`;
    return [beside(own?.toFixed(decimals) ?? '', their?.toFixed(decimals) ?? ''), times];
  };
  return [
    theirs.family,
    theirs.cases[0]!,
    ...figure(instructionsPerRow, 1),
    ...figure(bytesPerRow, 0),
    both(({ registers }) => String(registers)),
    both(({ resident }) => (resident === undefined ? '' : String(resident))),
    both((row) => (spilled(row) ? 'yes' : 'no')),
  ];
}

/** As in `8 : 7`; nothing where neither is known. */
function beside(ours: string, theirs: string): string {
  return ours === '' && theirs === '' ? '' : `${ours} : ${theirs}`;
}
