// compareFacts.ts: what two results have in common and what not: the conditions under which they were measured.
import { differentSettings } from './compareSettings.ts';
import { formatBytes, formatSignificant } from '../text/format.ts';
import { warmthOf } from './warmth.ts';
import type { StoredContext, StoredRow } from '../schema/storedSchema.ts';
import type { WholeRow } from '../schema/wholeSchema.ts';
import { isWholeRow, type ComparedResult, type ResultRow } from './compareKinds.ts';

/** A condition that differs: its name, and what it was in A and in B. */
export interface Difference {
  readonly name: string;
  readonly a: string;
  readonly b: string;
  /** Of a property of rows: in how many it differs; `a` and `b` are then what is most often so, of so many ways. */
  readonly rows?: number;
  readonly ways?: number;
}

export interface Facts {
  readonly differs: readonly Difference[];
  readonly same: readonly string[];
}

const NOT_TOLD = 'not told';

type Values<T> = Readonly<Record<string, (of: T) => string | undefined>>;

const CONDITIONS: Values<StoredContext> = {
  version: ({ tool }) => tool.version,
  commit: ({ tool }) => tool.commit,
  runtime: ({ runtime }) => `${runtime.kind} ${runtime.version}`,
  webgpu: ({ runtime }) => runtime.webgpu,
  adapter: ({ adapter }) => join(adapter.vendor, adapter.architecture),
  device: ({ adapter }) => join(adapter.device),
  driver: ({ adapter }) => join(adapter.description),
  label: ({ label }) => label,
  'kind of adapter': ({ adapter }) => (adapter.software ? 'software' : 'GPU'),
  'subgroup sizes': ({ adapter }) => `${adapter.subgroupMinSize}–${adapter.subgroupMaxSize}`,
  timer: ({ timer }) => (timer.source === 'wall' ? 'wall clock' : 'GPU timestamps'),
  'timer step': ({ timer }) => `${timer.stepNs} ns`,
  'cold bytes': ({ coldBytes }) => (coldBytes === undefined ? undefined : formatBytes(coldBytes)),
  seed: ({ seed }) => String(seed),
};

function join(...names: string[]): string | undefined {
  return names.filter((name) => name !== '').join(' · ') || undefined;
}

/** A measured ceiling never comes out twice the same; this much is no difference of conditions. */
const CEILING_NOISE = 0.05;

/** The conditions of two runs. What neither tells is left out. */
export function contextFacts(a: ComparedResult, b: ComparedResult): Facts {
  const facts: Facts[] = [fact('suite', a.suite, b.suite)];
  for (const [name, valueOf] of Object.entries(CONDITIONS)) {
    facts.push(fact(name, valueOf(a.context), valueOf(b.context)));
  }
  for (const special of [featureFact, ceilingFact]) facts.push(special(a.context, b.context));
  facts.push(parameterFacts(a, b));
  return joined(facts);
}

/** Only the features that one of the two lacks are worth a name. */
function featureFact({ features: a }: StoredContext, { features: b }: StoredContext): Facts {
  const without = (of: readonly string[], others: readonly string[]) =>
    of.filter((feature) => !others.includes(feature)).join(' ') || 'none besides';
  if (a.every((feature) => b.includes(feature)) && a.length === b.length) {
    return { differs: [], same: ['features'] };
  }
  return { differs: [{ name: 'features', a: without(a, b), b: without(b, a) }], same: [] };
}

function ceilingFact({ ceiling: a }: StoredContext, { ceiling: b }: StoredContext): Facts {
  const near = Math.abs(a.readGBps / b.readGBps - 1) <= CEILING_NOISE;
  if (near) return { differs: [], same: [`ceiling (within ${CEILING_NOISE * 100} %)`] };
  const text = (rate: number) => `${formatSignificant(rate, 3)} GB/s`;
  return { differs: [{ name: 'ceiling', a: text(a.readGBps), b: text(b.readGBps) }], same: [] };
}

function parameterFacts(a: ComparedResult, b: ComparedResult): Facts {
  const differs = differentSettings(a, b);
  return { differs, same: differs.length === 0 ? ['parameters'] : [] };
}

function fact(name: string, a: string | undefined, b: string | undefined): Facts {
  if (a === undefined && b === undefined) return { differs: [], same: [] };
  if (a === b) return { differs: [], same: [name] };
  return { differs: [{ name, a: a ?? NOT_TOLD, b: b ?? NOT_TOLD }], same: [] };
}

type ValueOf<Row> = (row: Row) => string | undefined;

const ofAttention = (valueOf: ValueOf<StoredRow>): ValueOf<ResultRow> => {
  return (row) => (isWholeRow(row) ? undefined : valueOf(row));
};

const ofWhole = (valueOf: ValueOf<WholeRow>): ValueOf<ResultRow> => {
  return (row) => (isWholeRow(row) ? valueOf(row) : undefined);
};

const PROPERTIES: Values<ResultRow> = {
  model: ({ params }) => params.model,
  kernel: ofAttention(({ kernel, params }) => kernel ?? params.kernel),
  sizes: ofAttention(({ sizes }) => sizes),
  tuning: ofAttention(({ tuned }) => (tuned === undefined ? undefined : tuned ? 'tuned' : 'not tuned')),
  splits: ofAttention(({ splits, splitLen }) => `${splits} of ${splitLen}`),
  'KV read': ofAttention(({ bytes }) => formatBytes(bytes.kvRead)),
  caches: ofAttention(warmthOf),
  layers: ofWhole(({ params }) => String(params.layers)),
  weights: ofWhole(({ bytes }) => formatBytes(bytes.weights)),
  KV: ofWhole(({ bytes }) => formatBytes(bytes.kv)),
  dispatches: ofWhole(({ dispatches }) => String(dispatches)),
};

/** What rows of the same name have in common and what not; only rows that both ran say anything. */
export function rowFacts(pairs: readonly { readonly a: ResultRow; readonly b: ResultRow }[]): Facts {
  const ran = pairs.filter(({ a, b }) => a.time && b.time);
  // A shape by hand has no model's name, and rows of the same name have the same shape.
  const named = ran.filter(({ a, b }) => ![a, b].some(({ params }) => params.model === 'custom'));
  return joined(
    Object.entries(PROPERTIES).map(([name, valueOf]) =>
      propertyFact(name, valueOf, name === 'model' ? named : ran),
    ),
  );
}

function propertyFact(
  name: string,
  valueOf: ValueOf<ResultRow>,
  pairs: readonly { readonly a: ResultRow; readonly b: ResultRow }[],
): Facts {
  const facts = pairs.map(({ a, b }) => fact(name, valueOf(a), valueOf(b)));
  const differs = facts.flatMap((each) => each.differs);
  if (differs.length === 0) return facts.find(({ same }) => same.length > 0) ?? { differs: [], same: [] };
  const counts = new Map<string, number>();
  for (const each of differs) {
    const way = JSON.stringify(each);
    counts.set(way, (counts.get(way) ?? 0) + 1);
  }
  const [commonest] = [...counts].toSorted(([, m], [, n]) => n - m)[0]!;
  const difference = JSON.parse(commonest) as Difference;
  return { differs: [{ ...difference, rows: differs.length, ways: counts.size }], same: [] };
}

function joined(facts: readonly Facts[]): Facts {
  return { differs: facts.flatMap((f) => f.differs), same: facts.flatMap((f) => f.same) };
}
