// sameRun.ts: the query of the page's address that runs what a result ran, as far as the page can. No DOM.
import { rowGroups, rowId, type RowOptions } from '../../bench/run/rows.ts';
import type { BenchResult, RowParams } from '../../bench/schema/schema.ts';
import { GqaError } from '../../src/index.ts';
import { DEFAULT_SEED } from '../../src/numbers/random.ts';

/** The query of an address, or why there is none. */
export type SameRun = { readonly query: string } | { readonly fault: string };

/** The settings of a result as parameters, which bear the names of the command's long flags. */
export function sameRun({ context, results }: BenchResult): SameRun {
  const all = results.map(({ params }) => params);
  const first = all[0];
  if (!first) return { fault: 'the result has no rows' };
  const list = <T>(of: (params: RowParams) => T): T[] => [...new Set(all.map(of))];
  const [kTypes, vTypes] = [list(({ kType }) => kType), list(({ vType }) => vType)];
  const requests = list((params) => params.requests).filter((each) => each !== undefined);
  const capacities = list(({ capacity, depth }) => (capacity === depth ? undefined : capacity));
  const options = {
    model: first.model,
    heads: first.heads,
    kvHeads: list(({ kvHeads }) => kvHeads),
    headDim: first.headDim,
    depths: list(({ depth }) => depth),
    batches: list(({ batch }) => batch),
    kTypes,
    vTypes,
    kernels: list(({ kernel }) => kernel),
    caches: list(({ cache }) => cache),
    ...(requests.length > 0 && { requests }),
    ...(capacities.length === 1 && capacities[0] !== undefined && { capacity: capacities[0] }),
  };
  if (!isAllOf(options, all))
    return { fault: 'its rows are of a kind, or in combinations, that a page does not run' };
  const { reps, 'max-time': maxTime } = context.nonStandard;
  return {
    query: queryOf({
      heads: options.heads,
      'kv-heads': options.kvHeads,
      'head-dim': options.headDim,
      ...(requests.length > 0 ? { requests } : { depth: options.depths, batch: options.batches }),
      ...('capacity' in options && { capacity: options.capacity }),
      'cache-type-k': kTypes,
      ...(vTypes.join() !== kTypes.join() && { 'cache-type-v': vTypes }),
      ...(options.kernels.join() !== 'auto' && { kernel: options.kernels }),
      ...(options.caches.join() !== 'cold' && { cache: options.caches }),
      ...(isWhole(reps) && { reps }),
      ...(isWhole(maxTime) && { 'max-time': maxTime }),
      ...(context.seed !== DEFAULT_SEED && { seed: context.seed }),
      ...(results.every(({ check, error }) => check === null && error === undefined) && { 'no-check': '' }),
    }),
  };
}

/** Whether these options have exactly these rows. */
function isAllOf(options: RowOptions, rows: readonly RowParams[]): boolean {
  const { kvHeads, depths, batches, requests, kernels, caches, kTypes, vTypes } = options;
  const loads = requests?.length ?? depths.length * batches.length;
  const types = Math.max(kTypes.length, vTypes.length);
  // Before combinations are made that no result has.
  if (loads * types * kvHeads.length * kernels.length * caches.length !== rows.length) return false;
  try {
    const [wanted, got] = [rows, rowGroups(options).flat()].map((list) => list.map(rowId).toSorted().join());
    return wanted === got;
  } catch (error) {
    if (!(error instanceof GqaError)) throw error;
    return false;
  }
}

/** Other texts say that there was no number: "until settled". */
function isWhole(text: string | undefined): text is string {
  return text !== undefined && /^[0-9]+$/.test(text);
}

/** As people write it: commas as they are, no "=" before nothing. */
function queryOf(params: Readonly<Record<string, string | number | readonly (string | number)[]>>): string {
  const text = Object.entries(params).map(([name, value]) => {
    const values = [value].flat().map((each) => encodeURIComponent(each));
    return values.join() === '' ? name : `${name}=${values.join()}`;
  });
  return text.join('&');
}
