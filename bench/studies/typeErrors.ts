// typeErrors.ts: what the element types of a cache lose by themselves: their ranges, and their error beside the arithmetic's.
import { decodeRows, encodeRows, KV_RANGES, KV_TYPES, type KvType } from '../../src/index.ts';
import { attention, type AttentionProblem } from '../../src/reference/attention.ts';
import { formatMagnitude, markdownTable, type Column } from '../text/format.ts';
import { normals } from '../../src/numbers/random.ts';

/** Normal K and V of one layer, attended to by normal queries of as many heads. */
export interface TypeStudy {
  readonly headDim: number;
  readonly tokens: number;
}

/** Errors of a type: root mean squares, relative to those of the values before they were rounded. */
export interface TypeErrors {
  readonly type: KvType;
  /** Of stored elements. */
  readonly stored: number;
  /** Of the output, K and V in the type. The row of f32 has what a plain f32 implementation does to it instead. */
  readonly output: number;
  /** Of the other channels, stored, where one is OUTLIER times as large as they are. */
  readonly storedOthers: number;
  /** Of the other channels of the output, where V has that channel. */
  readonly outputOutlierV: number;
  /** Of the output, where K has that channel and queries have so much less of it. */
  readonly outputOutlierK: number;
}

/** How many times as large as the others the outlier channel is. */
export const OUTLIER = 100;

/** Which one it is: any but a special one. */
const CHANNEL = 37;

const HEADS = 4;

/** The errors of every type on the same seeded data, in float64 but for what is rounded. */
export function typeErrors(study: TypeStudy): TypeErrors[] {
  const normal = problemOf(study);
  const [outlierK, outlierV] = [withOutlier(normal, 'k'), withOutlier(normal, 'v')];
  const truths = [normal, outlierK, outlierV].map((problem) => attention(problem).o);
  const others = (i: number) => i % study.headDim !== CHANNEL;
  return KV_TYPES.map((type) => {
    const [o, oK, oV] = [normal, outlierK, outlierV].map((problem) => outputOf(type, problem));
    return {
      type,
      stored: relativeError(rounded(type, study, normal.v), normal.v),
      output: relativeError(o!, truths[0]!),
      storedOthers: relativeError(rounded(type, study, outlierV.v), outlierV.v, others),
      outputOutlierV: relativeError(oV!, truths[2]!, others),
      outputOutlierK: relativeError(oK!, truths[1]!),
    };
  });
}

function problemOf({ headDim, tokens }: TypeStudy): AttentionProblem {
  const count = HEADS * tokens * headDim;
  return {
    batch: 1,
    numQHeads: HEADS,
    numKvHeads: HEADS,
    headDim,
    qLen: 1,
    causal: true,
    capacity: tokens,
    kvLens: [tokens],
    smScale: 1 / Math.sqrt(headDim),
    q: normals(1, HEADS * headDim),
    k: normals(2, count),
    v: normals(3, count),
  };
}

/** The problem with one channel of K or of V scaled; queries shrink with K, so that scores stay what they are. */
function withOutlier(problem: AttentionProblem, of: 'k' | 'v'): AttentionProblem {
  const scaled = (values: Float32Array, factor: number) =>
    values.map((x, i) => (i % problem.headDim === CHANNEL ? x * factor : x));
  const large = { ...problem, [of]: scaled(problem[of], OUTLIER) };
  return of === 'k' ? { ...large, q: scaled(problem.q, 1 / OUTLIER) } : large;
}

/** The output with K and V in a type; f32 loses nothing when it is stored, so it shows the arithmetic. */
function outputOf(type: KvType, problem: AttentionProblem): Float64Array {
  if (type === 'f32') return attention(problem, Math.fround).o;
  const study = { headDim: problem.headDim, tokens: problem.capacity };
  const [k, v] = [rounded(type, study, problem.k), rounded(type, study, problem.v)];
  return attention({ ...problem, k, v }).o;
}

function rounded(
  type: KvType,
  { headDim, tokens }: TypeStudy,
  values: Float32Array,
): Float32Array<ArrayBuffer> {
  const layout = { type, headDim, heads: HEADS, capacity: tokens };
  return decodeRows(layout, encodeRows(layout, values));
}

function relativeError(
  got: ArrayLike<number>,
  truth: ArrayLike<number>,
  counts: (i: number) => boolean = () => true,
): number {
  let errors = 0;
  let squares = 0;
  for (let i = 0; i < truth.length; i++) {
    if (!counts(i)) continue;
    errors += (got[i]! - truth[i]!) ** 2;
    squares += truth[i]! ** 2;
  }
  return Math.sqrt(errors / squares);
}

const COLUMNS: readonly Column[] = [
  { title: 'K and V', align: 'left' },
  { title: 'largest', align: 'right' },
  { title: 'precise from', align: 'right' },
  { title: '0 below', align: 'right' },
  { title: 'stored', align: 'right' },
  { title: 'output', align: 'right' },
  { title: 'stored, outlier', align: 'right' },
  { title: 'output, outlier in V', align: 'right' },
  { title: 'output, outlier in K', align: 'right' },
];

/** Ranges and errors of every type as a Markdown table, with what the columns mean. */
export function typesTable(study: TypeStudy): string {
  const rows = typeErrors(study).map((errors) => {
    const { largest, precise, least } = KV_RANGES[errors.type];
    const { type, stored, output, storedOthers, outputOutlierV, outputOutlierK } = errors;
    const shares = [stored, output, storedOthers, outputOutlierV, outputOutlierK];
    return [type, ...[largest, precise, least].map(formatMagnitude), ...shares.map(percent)];
  });
  return [
    markdownTable(COLUMNS, rows),
    '',
    `> Errors: root mean squares relative to the values before they were rounded; normal data, ${study.tokens} tokens, head dim ${study.headDim},`,
    `> float64 but for the rounding. "output" of f32 is the error of f32 arithmetic itself, beside which the types' own errors stand.`,
    `> "outlier": one channel is ${OUTLIER} times as large as the others; errors of stored elements and with V are those of the other channels.`,
    `> Past "largest" a value becomes that one; int8 and int4 are precise in blocks whose largest magnitude is at least "precise from".`,
  ].join('\n');
}

function percent(share: number): string {
  return share === 0 ? '0' : `${formatMagnitude(100 * share)} %`;
}
