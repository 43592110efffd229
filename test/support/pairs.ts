// pairs.ts: all combinations of the values of some axes, or few that have every two values together where there are too many to try them all.
import { uniform } from '../../src/numbers/random.ts';

/** The values of each axis. */
type Axes = Readonly<Record<string, readonly unknown[]>>;

/** One value of each axis. */
export type CaseOf<A extends Axes> = { readonly [Name in keyof A]: A[Name][number] };

/** Cases of which, for every two axes, some one has each two values: greedily, the same ones each time. */
export function everyTwo<A extends Axes>(axes: A): CaseOf<A>[] {
  const names = Object.keys(axes);
  const sizes = names.map((name) => axes[name]!.length);
  const missing = new Set<string>();
  const pair = (a: number, i: number, b: number, j: number) =>
    a < b ? `${a},${i},${b},${j}` : `${b},${j},${a},${i}`;
  for (const [a, size] of sizes.entries()) {
    for (let b = 0; b < a; b++) {
      for (let i = 0; i < size; i++) for (let j = 0; j < sizes[b]!; j++) missing.add(pair(a, i, b, j));
    }
  }
  const next = uniform(1);
  const cases: CaseOf<A>[] = [];
  for (const wanted of missing) {
    if (!missing.has(wanted)) continue;
    const [a, i, b, j] = wanted.split(',').map(Number) as [number, number, number, number];
    const chosen = new Map([
      [a, i],
      [b, j],
    ]);
    for (const [axis, size] of sizes.entries()) {
      if (chosen.has(axis)) continue;
      // The value with most pairs that are missing; where several have as many, whichever comes first from a random one on.
      const start = Math.floor(next() * size);
      let best = { value: start, news: -1 };
      for (let k = 0; k < size; k++) {
        const value = (start + k) % size;
        const news = [...chosen].filter(([other, at]) => missing.has(pair(axis, value, other, at))).length;
        if (news > best.news) best = { value, news };
      }
      chosen.set(axis, best.value);
    }
    for (const [x, at] of chosen) {
      for (const [y, other] of chosen) if (x !== y) missing.delete(pair(x, at, y, other));
    }
    cases.push(
      Object.fromEntries(names.map((name, axis) => [name, axes[name]![chosen.get(axis)!]])) as CaseOf<A>,
    );
  }
  return cases;
}

/** All combinations. */
export function everyCase<const A extends Axes>(axes: A): CaseOf<A>[] {
  return Object.entries(axes).reduce<Record<string, unknown>[]>(
    (cases, [name, values]) => cases.flatMap((each) => values.map((value) => ({ ...each, [name]: value }))),
    [{}],
  ) as CaseOf<A>[];
}
