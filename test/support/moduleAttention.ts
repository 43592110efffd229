// moduleAttention.ts: an attention module of a checkpoint, computed from its tensors by plain loops in float64.
import { HEAD_DIM as D, HEADS as HQ } from './checkpoints.ts';
import { FAMILY_PLACES, type Element, type HeadRole } from './headPlaces.ts';

/** Values of a tensor by name; undefined for one that is not there. */
export type TensorValues = (name: string) => ArrayLike<number> | undefined;

/** What is computed: which module, how many KV heads its tensors hold, and which of them query head h reads. */
export interface ModuleQuestion {
  readonly family: string;
  readonly layer: number;
  readonly kind: 'self' | 'cross';
  readonly numKvHeads: number;
  readonly kvHeadOf: (h: number) => number;
  /** Input of each token, [width]. */
  readonly tokens: readonly (readonly number[])[];
}

/** The module's output for each token, [width]. Self-attention is causal, cross-attention sees every token. */
export function moduleOutput(question: ModuleQuestion, values: TensorValues): number[][] {
  const { family, tokens, kvHeadOf, kind } = question;
  const { width, scale, softcap, biasTable } = FAMILY_PLACES[family]!;
  const biases = kind === 'self' && biasTable !== undefined ? values(biasTable)! : undefined;
  const out = tokens.map(() => Array.from({ length: width }, () => 0));
  for (let h = 0; h < HQ; h++) {
    const headOf = (role: HeadRole, head: number) => weightsOf(question, values, role, head);
    const [wq, wk, wv] = [headOf('q', h), headOf('k', kvHeadOf(h)), headOf('v', kvHeadOf(h))];
    const { rows: o } = headOf('o', h);
    const q = tokens.map((x, t) => positioned(project(wq, x), t, question, values, 'q'));
    const k = tokens.map((x, t) => positioned(project(wk, x), t, question, values, 'k'));
    const v = tokens.map((x, t) => valueOf(question, values, kvHeadOf(h), project(wv, x), x, t));
    tokens.forEach((_, t) => {
      const seen = kind === 'self' ? t + 1 : tokens.length;
      const scores = k.slice(0, seen).map((key, at) => {
        const score = scale * dot(q[t]!, key);
        const capped = softcap === undefined ? score : softcap * Math.tanh(score / softcap);
        return capped + (biases ? biases[(t - at) * HQ + h]! : 0);
      });
      const largest = Math.max(...scores);
      const weights = scores.map((s) => Math.exp(s - largest));
      const sum = weights.reduce((a, b) => a + b, 0);
      for (let r = 0; r < D; r++) {
        const y = weights.reduce((total, w, at) => total + w * v[at]![r]!, 0) / sum;
        for (let c = 0; c < width; c++) out[t]![c]! += y * o[r]![c]!;
      }
    });
  }
  return out;
}

/** A head's rows of a projection, [D, width], and its biases, [D]. */
interface HeadWeights {
  readonly rows: readonly (readonly number[])[];
  readonly biases: readonly number[];
}

/** Read once for all tokens: finding an element's tensor and index takes far longer than using it. */
function weightsOf(
  { family, layer, kind, numKvHeads }: ModuleQuestion,
  values: TensorValues,
  role: HeadRole,
  head: number,
): HeadWeights {
  const { width, place, bias } = FAMILY_PLACES[family]!;
  const read = ([name, index]: readonly [string, number]) => values(name)![index]!;
  const at = (r: number, c: number): Element => ({ layer, kind, role, head, r, c });
  const eachRow = <T>(of: (r: number) => T) => Array.from({ length: D }, (_, r) => of(r));
  return {
    rows: eachRow((r) => Array.from({ length: width }, (_, c) => read(place(at(r, c), numKvHeads)))),
    biases: eachRow((r) => (bias && role !== 'o' ? read(bias(at(r, 0), numKvHeads)) : 0)),
  };
}

function project({ rows, biases }: HeadWeights, x: readonly number[]): number[] {
  return rows.map((row, r) => dot(row, x) + biases[r]!);
}

/** A value; nanochat adds a row of a table by token, here token number t, weighed by a gate. */
function valueOf(
  question: ModuleQuestion,
  values: TensorValues,
  head: number,
  v: readonly number[],
  x: readonly number[],
  t: number,
): readonly number[] {
  const table = question.family === 'nanochat' ? values(`value_embeds.${question.layer}.weight`) : undefined;
  if (!table) return v;
  const gates = values(`transformer.h.${question.layer}.attn.ve_gate.weight`)!;
  let sum = 0;
  for (let c = 0; c < 12; c++) sum += gates[head * 12 + c]! * x[c]!;
  const gate = 3 / (1 + Math.exp(-sum));
  return v.map((value, r) => value + gate * table[(t * question.numKvHeads + head) * D + r]!);
}

function positioned(
  a: readonly number[],
  t: number,
  { family, layer }: ModuleQuestion,
  values: TensorValues,
  role: 'q' | 'k',
): number[] {
  const { rope, norm, normFrom = 0 } = FAMILY_PLACES[family]!;
  const factor = norm === 'none' ? 1 : 1 / Math.sqrt(dot(a, a) / D + 1e-6);
  const weights =
    norm === 'weights' ? values(`model.layers.${layer}.self_attn.${role}_norm.weight`)! : undefined;
  const out = a.map((x, r) => x * factor * (weights ? normFrom + weights[r]! : 1));
  const planes = rope ? rope.dims / 2 : 0;
  for (let p = 0; p < planes; p++) {
    const angle = t * rope!.theta[layer]! ** ((-2 * p) / rope!.dims);
    const [x, y] = [out[p]!, out[p + planes]!];
    out[p] = x * Math.cos(angle) - y * Math.sin(angle);
    out[p + planes] = x * Math.sin(angle) + y * Math.cos(angle);
  }
  return out;
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + x * b[i]!, 0);
}
