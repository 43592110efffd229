// likeHeads.ts: fills a checkpoint so that heads of a group are one head turned and scaled in ways attention cannot see.
import { HEAD_DIM as D, HEADS, LAYERS, noise, type Fill } from './checkpoints.ts';
import { FAMILY_PLACES, type Element, type HeadRole } from './headPlaces.ts';

/** What is done to head number i of a group: its key as complex numbers by plane, its value by a matrix [D, D]. */
export interface Likeness {
  /** Source KV heads of a group; the first is the one the others are made from. */
  readonly groups: readonly (readonly number[])[];
  /** Factor of the key in plane p of the group's i-th head. */
  readonly key: (i: number, p: number) => { readonly re: number; readonly im: number };
  /** Reflections that turn the value; 0 leaves it. */
  readonly valueTurns: number;
  /** Whether elements without position are turned too. */
  readonly turnRest: boolean;
}

export const IDENTICAL = (groups: Likeness['groups']): Likeness => ({
  groups,
  key: () => ({ re: 1, im: 0 }),
  valueTurns: 0,
  turnRest: false,
});

export const ROTATED = (groups: Likeness['groups']): Likeness => ({
  groups,
  key: (i, p) => ({ re: Math.cos(i * (p + 1)), im: Math.sin(i * (p + 1)) }),
  valueTurns: 1,
  turnRest: true,
});

/** Keys turned by half a turn in some planes, which a norm with weights allows. */
export const FLIPPED = (groups: Likeness['groups']): Likeness => ({
  groups,
  key: (i, p) => ({ re: (i + p) % 2 === 0 ? 1 : -1, im: 0 }),
  valueTurns: 1,
  turnRest: false,
});

/** Keys turned and scaled, plane by plane. */
export const SCALED = (groups: Likeness['groups']): Likeness => ({
  groups,
  key: (i, p) => ({ re: (1 + i) * Math.cos(i + p), im: (1 + i) * Math.sin(i + p) }),
  valueTurns: 1,
  turnRest: true,
});

/** Tensors of a family whose KV heads (as many as query heads) are alike in groups. */
export function likeHeads(family: string, likeness: Likeness): Fill {
  const made = new Map<string, Float64Array>();
  return (name, shape) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const own = Float64Array.from(noise(name, shape));
    if (made.size === 0) build(family, likeness, made);
    const built = made.get(name);
    if (built) for (let i = 0; i < count; i++) if (!Number.isNaN(built[i])) own[i] = built[i]!;
    return own;
  };
}

/** Writes the keys and values of all heads into arrays by tensor name; NaN where nothing is written. */
function build(family: string, likeness: Likeness, made: Map<string, Float64Array>): void {
  const { width, kinds, bias } = FAMILY_PLACES[family]!;
  const put = ([name, index]: readonly [string, number], value: number) => {
    if (!made.has(name)) made.set(name, new Float64Array(20_000).fill(NaN));
    made.get(name)![index] = value;
  };
  for (let layer = 0; layer < LAYERS; layer++) {
    for (const kind of kinds) {
      for (const role of ['k', 'v'] as const) {
        for (const members of likeness.groups) {
          for (let c = 0; c <= width; c++) {
            const first = column(`${layer}${kind}${role}${members[0]}/${c}`);
            members.forEach((head, i) => {
              const turned = turn(family, likeness, role, i, first);
              for (let r = 0; r < D; r++) {
                const at: Element = { layer, kind, role, head, r, c };
                if (c < width) put(FAMILY_PLACES[family]!.place(at, HEADS), turned[r]!);
                else if (bias) put(bias({ ...at, c: 0 }, HEADS), turned[r]!);
              }
            });
          }
        }
      }
    }
  }
  if (family === 'nanochat') buildValueEmbeds(family, likeness, put);
}

/** nanochat's table adds to values, so it is turned with them; gates of like heads are the same. */
function buildValueEmbeds(
  family: string,
  likeness: Likeness,
  put: (place: readonly [string, number], value: number) => void,
): void {
  for (const members of likeness.groups) {
    for (let token = 0; token < 16; token++) {
      const first = column(`embed${members[0]}/${token}`);
      members.forEach((head, i) => {
        const turned = turn(family, likeness, 'v', i, first);
        for (let r = 0; r < D; r++)
          put(['value_embeds.1.weight', (token * HEADS + head) * D + r], turned[r]!);
      });
    }
    const gate = column(`gate${members[0]}`).concat(column(`more${members[0]}`));
    for (const head of members) {
      for (let c = 0; c < 12; c++) put(['transformer.h.1.attn.ve_gate.weight', head * 12 + c], gate[c]!);
    }
  }
}

function column(seed: string): number[] {
  return Array.from(noise(seed, [D]));
}

function turn(
  family: string,
  likeness: Likeness,
  role: HeadRole,
  i: number,
  x: readonly number[],
): readonly number[] {
  if (role === 'v') return likeness.valueTurns > 0 ? reflect(x, i, 0) : x;
  const { rope } = FAMILY_PLACES[family]!;
  const planes = rope ? rope.dims / 2 : 0;
  const out = [...x];
  for (let p = 0; p < planes; p++) {
    const { re, im } = likeness.key(i, p);
    out[p] = re * x[p]! - im * x[p + planes]!;
    out[p + planes] = im * x[p]! + re * x[p + planes]!;
  }
  const rest = likeness.turnRest ? reflect(out.slice(2 * planes), i, 1) : out.slice(2 * planes);
  return [...out.slice(0, 2 * planes), ...rest];
}

/** Two reflections that depend on i, none for i = 0: an orthogonal matrix that is no rotation of planes. */
function reflect(x: readonly number[], i: number, salt: number): number[] {
  if (i === 0 || x.length === 0) return [...x];
  let out = [...x];
  for (let k = 0; k < 2 + (i % 2); k++) {
    const u = x.map((_, r) => Math.sin(1 + r * (k + 2) + i * 5 + salt));
    const size = u.reduce((sum, y) => sum + y * y, 0);
    const along = out.reduce((sum, y, r) => sum + y * u[r]!, 0);
    out = out.map((y, r) => y - (2 * along * u[r]!) / size);
  }
  return out;
}
