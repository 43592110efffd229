// attentionOutput.ts: attention of a module before and after its heads are merged, in float64, for the report.
import type { AttentionRule } from '../find/attentionRule.ts';
import { Projection, type Inputs, type LayerSource, type Tokens } from '../heads/layerData.ts';
import { addProduct, multiply } from '../heads/linear/dense.ts';
import type { QkNorm } from '../heads/methods/keyBasis.ts';
import type { HeadTransform } from '../heads/methods/transform.ts';

/** What the outputs are computed from besides the weights. */
export interface OutputOptions {
  readonly rule: AttentionRule;
  readonly norm: QkNorm;
  readonly inputs: Inputs;
  /** Added to the scores of a query head, by the distance of the key; 0 where there is no such table. */
  readonly bias: (head: number, distance: number) => number;
}

/** A merge of heads: groups of source KV heads, and what is done to each head. */
export interface Merge {
  readonly groups: readonly (readonly number[])[];
  readonly transforms: ReadonlyMap<number, HeadTransform>;
}

/** |y - y'| / |y| of the module's output y over the tokens, y' being that of the merged heads, for each merge. */
export async function outputErrors(
  source: LayerSource,
  merges: readonly Merge[],
  options: OutputOptions,
): Promise<number[]> {
  const { module, counts, headDim: d, kvHeadOf, read } = source;
  const { inputs } = options;
  const projection = (role: 'q' | 'k' | 'v' | 'o') => Projection.read(module, role, counts, read);
  const [q, k, v, o] = [
    await projection('q'),
    await projection('k'),
    await projection('v'),
    await projection('o'),
  ];
  const heads = Array.from({ length: counts.numKvHeads }, (_, s) => ({
    k: Float64Array.from(k.samples(s, inputs.kv, d)),
    v: Float64Array.from(v.samples(s, inputs.kv, d)),
  }));
  const merged = merges.map((merge) => mergedHeads(merge, heads, d));
  // The output is as wide as the input: [hidden, tokens].
  const empty = () => new Float64Array(inputs.q.data.length);
  const whole = empty();
  const lost = merges.map(empty);
  kvHeadOf.forEach((s, h) => {
    const queries = Float64Array.from(q.samples(h, inputs.q, d));
    const rows = o.rows(h);
    const y = attend(queries, heads[s]!.k, heads[s]!.v, h, d, options);
    addProjected(whole, y, rows, d);
    merges.forEach(({ transforms }, i) => {
      const { qOut, vOut } = transforms.get(s)!;
      const shared = merged[i]!.get(s)!;
      const kept = multiply(vOut, attend(multiply(qOut, queries, d), shared.k, shared.v, h, d, options), d);
      const difference = y.map((x, at) => x - kept[at]!);
      addProjected(lost[i]!, difference, rows, d);
    });
  });
  const size = norm(whole);
  return lost.map((sum) => (size > 0 ? norm(sum) / size : 0));
}

interface KvHead {
  readonly k: Float64Array;
  readonly v: Float64Array;
}

/** For each source KV head the merged head that its queries read. */
function mergedHeads(
  { groups, transforms }: Merge,
  heads: readonly KvHead[],
  d: number,
): Map<number, KvHead> {
  const out = new Map<number, KvHead>();
  for (const members of groups) {
    const k = new Float64Array(heads[0]!.k.length);
    const v = new Float64Array(heads[0]!.v.length);
    for (const s of members) {
      const { kIn, vIn } = transforms.get(s)!;
      addProduct(k, kIn, heads[s]!.k, d);
      addProduct(v, vIn, heads[s]!.v, d);
    }
    for (const s of members) out.set(s, { k, v });
  }
  return out;
}

/** sum [hidden, tokens] += rows^T [hidden, d] . a [d, tokens] */
function addProjected(out: Float64Array, a: Float64Array, rows: Float32Array, d: number): void {
  const n = a.length / d;
  const hidden = rows.length / d;
  for (let r = 0; r < d; r++) {
    for (let i = 0; i < hidden; i++) {
      const x = rows[r * hidden + i]!;
      for (let c = 0; c < n; c++) out[i * n + c]! += x * a[r * n + c]!;
    }
  }
}

function norm(a: Float64Array): number {
  return Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));
}

/** Attention of one query head, sequence by sequence: queries, keys and values [d, tokens] -> [d, tokens]. */
function attend(
  queries: Float64Array,
  keys: Float64Array,
  values: Float64Array,
  head: number,
  d: number,
  options: OutputOptions,
): Float64Array {
  const { rule, inputs } = options;
  const q = prepared(queries, d, inputs.q, rule, options.norm, 'q');
  const k = prepared(keys, d, inputs.kv, rule, options.norm, 'k');
  const [n, m] = [queries.length / d, keys.length / d];
  const [qLength, kvLength] = [inputs.q.length, inputs.kv.length];
  const out = new Float64Array(queries.length);
  for (let i = 0; i < n; i++) {
    const first = Math.floor(i / qLength) * kvLength;
    const last = rule.causal ? first + (i % qLength) : Math.min(m, first + kvLength) - 1;
    const weights = softmaxRow(last - first + 1, (at) => {
      let dot = 0;
      for (let r = 0; r < d; r++) dot += q[r * n + i]! * k[r * m + first + at]!;
      const score = rule.scale * dot;
      const capped = rule.softcap === undefined ? score : rule.softcap * Math.tanh(score / rule.softcap);
      return capped + options.bias(head, last - first - at);
    });
    for (let r = 0; r < d; r++) {
      let sum = 0;
      for (let at = 0; at < weights.length; at++) sum += weights[at]! * values[r * m + first + at]!;
      out[r * n + i] = sum;
    }
  }
  return out;
}

function softmaxRow(length: number, score: (at: number) => number): Float64Array {
  const out = Float64Array.from({ length }, (_, at) => score(at));
  const largest = out.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (let i = 0; i < length; i++) sum += out[i] = Math.exp(out[i]! - largest);
  return out.map((x) => x / sum);
}

const EPSILON = 1e-6;

/** Queries or keys as they meet: normalised, then rotated by their position in the sequence. */
function prepared(
  a: Float64Array,
  d: number,
  { length }: Tokens,
  rule: AttentionRule,
  norms: QkNorm,
  which: 'q' | 'k',
): Float64Array {
  const n = a.length / d;
  const out = a.slice();
  const weights = typeof norms === 'string' ? undefined : norms[which];
  const from = rule.normsCountFromOne ? 1 : 0;
  const normed = norms === 'none' ? 0 : n;
  for (let c = 0; c < normed; c++) {
    let squares = 0;
    for (let r = 0; r < d; r++) squares += a[r * n + c]! ** 2;
    const factor = 1 / Math.sqrt(squares / d + EPSILON);
    for (let r = 0; r < d; r++) out[r * n + c]! *= factor * (weights ? from + weights[r]! : 1);
  }
  const { pairing, rotaryDims } = rule.positions;
  const planes = pairing === 'none' ? 0 : rotaryDims / 2;
  for (let p = 0; p < planes; p++) {
    const [i, j] = pairing === 'half' ? [p, p + rotaryDims / 2] : [2 * p, 2 * p + 1];
    const frequency = rule.theta ** ((-2 * p) / rotaryDims);
    for (let c = 0; c < n; c++) {
      const [cos, sin] = [Math.cos((c % length) * frequency), Math.sin((c % length) * frequency)];
      const [x, y] = [out[i * n + c]!, out[j * n + c]!];
      out[i * n + c] = x * cos - y * sin;
      out[j * n + c] = x * sin + y * cos;
    }
  }
  return out;
}
