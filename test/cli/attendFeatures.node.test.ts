// attendFeatures.node.test.ts: `gqa attend` with masks, pasts, windows and the rest, against attention written down once more here.
import { expect, test } from 'vitest';
import { alibiSlopes } from '../../cli/attend/alibiSlopes.ts';
import { writeSafetensors } from '../../src/checkpoint/format/file.ts';
import { normals } from '../../src/numbers/random.ts';
import { expectClose, expectRows, outputs, random, tensor, twin, type Twin } from './attendTwin.ts';
import { attendFolder, gqaAttend } from './gqaAttend.ts';

const { input, output } = attendFolder();

test('three axes, odd head dims, a past, a short mask of booleans, a bias, softcap, the first key: o, present and weights', async () => {
  const [batch, heads, kvHeads, qLen, past, added] = [2, 6, 2, 3, 4, 5];
  const keys = past + added;
  const [D, Dv] = [5, 10];
  // [B, L, H * D]: a row of position r has the heads one behind the other.
  const packed = (name: string, seed: number, rows: number, of: number, dim: number) => {
    const data = normals(seed, batch * rows * of * dim);
    const row = (b: number, h: number, r: number) =>
      data.subarray(((b * rows + r) * of + h) * dim).subarray(0, dim);
    return { tensor: tensor(name, [batch, rows, of * dim], data), row };
  };
  const [q, k, v] = [
    packed('q', 1, qLen, heads, D),
    packed('k', 2, added, kvHeads, D),
    packed('v', 3, added, kvHeads, Dv),
  ];
  const [pk, pv] = [random('pk', 4, [batch, kvHeads, past, D]), random('pv', 5, [batch, kvHeads, past, Dv])];
  const seen = Uint8Array.from({ length: qLen * 6 }, (_, n) => (n % 5 === 1 ? 0 : 1)); // 6 of 9 keys
  const bias = normals(6, heads * keys);
  await writeSafetensors(input, [
    ...[q, k, v, pk, pv].map((each) => each.tensor),
    { name: 'seen', dtype: 'BOOL', shape: [qLen, 6], data: seen },
    tensor('bias', [heads, 1, keys], bias),
  ]);
  const args =
    '--heads 6 --kv-heads 2 --past-k pk --past-v pv --mask seen --bias bias --softcap 2 --causal first-key --scores weights';
  const { error, err, out } = await gqaAttend(input, '--out', output, ...args.split(' '));
  expect(error).toBe('');
  expect(err).toContain('note     seen has 6 of 9 keys: the others are not seen\n');
  expect(err).not.toContain('without use');
  expect(out).toContain('q [2, 6, 3, 5], k [2, 2, 9, 5], v [2, 2, 9, 10] as f32');
  const want = twin({
    sizes: { batch, heads, kvHeads, qLen, keys },
    q: q.row,
    k: (b, h, t) => (t < past ? pk.row(b, h, t) : k.row(b, h, t - past)),
    v: (b, h, t) => (t < past ? pv.row(b, h, t) : v.row(b, h, t - past)),
    change: (score, [, h, , t]) => 2 * Math.tanh(score / 2) + bias[h! * keys + t!]!,
    sees: (_b, _h, i, t) => t <= past + i && t < 6 && seen[i * 6 + t] === 1,
  });
  const { o, lse, scores, present_k, present_v } = await outputs(output);
  expect([o!.shape, lse!.shape, scores!.shape]).toEqual([
    [2, 3, 60],
    [2, 6, 3],
    [2, 6, 3, 9],
  ]);
  expectClose(
    lse!.data,
    want.map((row) => row.lse),
  );
  expectClose(
    scores!.data,
    want.flatMap((row) => row.weights),
  );
  for (const [n, row] of want.entries()) {
    const [b, h, i] = [Math.floor(n / 18), Math.floor(n / 3) % 6, n % 3];
    expectClose(o!.data.subarray(((b * qLen + i) * heads + h) * Dv).subarray(0, Dv), row.o);
  }
  expect([present_k!.shape, present_v!.shape]).toEqual([
    [2, 2, 9, 5],
    [2, 2, 9, 10],
  ]);
  // Sequence 1, head 1: the past's last row, then the first that was added.
  expect(present_k!.data.subarray((3 * keys + 3) * D, (3 * keys + 5) * D)).toEqual(
    Float32Array.of(...pk.row(1, 1, 3), ...k.row(1, 1, 0)),
  );
  expect(present_v!.data.subarray(-Dv)).toEqual(v.row(1, 1, 4));
});

test('19 queries over ragged lengths, a window, sink tokens, slopes, sink logits, pages: as in one piece', async () => {
  const [batch, heads, kvHeads, qLen, keys, D] = [3, 6, 2, 19, 30, 8];
  const lens = [30, 0, 7];
  const [q, k, v] = [
    random('q', 1, [batch, heads, qLen, D]),
    random('k', 2, [batch, kvHeads, keys, D]),
    random('v', 3, [batch, kvHeads, keys, D]),
  ];
  const sinks = normals(4, heads);
  await writeSafetensors(input, [
    ...[q, k, v].map((each) => each.tensor),
    tensor('sinks', [heads], sinks),
    { name: 'n', dtype: 'I32', shape: [batch], data: Int32Array.from(lens) },
  ]);
  const args = '--window 5 --sink-tokens 2 --alibi --sink-logits sinks --page-size 8 --kv-lens n';
  expect((await gqaAttend(input, '--out', output, ...args.split(' '))).error).toBe('');
  const own = (b: number, i: number) => lens[b]! - qLen + i;
  const slopes = alibiSlopes(heads);
  const want = twin({
    sizes: { batch, heads, kvHeads, qLen, keys },
    q: q.row,
    k: k.row,
    v: v.row,
    change: (score, [b, h, i, t]) => score + slopes[h!]! * (t! - own(b!, i!)),
    sees: (b, _h, i, t) => t <= own(b, i) && (t > own(b, i) - 5 || t < 2),
    sink: (h) => sinks[h]!,
  });
  await expectRows(output, want);
});

test('the first key, more queries than keys, and lengths with NaN behind them', async () => {
  const [batch, heads, kvHeads, qLen, keys, D] = [2, 2, 1, 11, 6, 8];
  const lens = [6, 4];
  const [q, k, v] = [
    random('q', 1, [batch, heads, qLen, D]),
    random('k', 2, [batch, kvHeads, keys, D]),
    random('v', 3, [batch, kvHeads, keys, D]),
  ];
  for (const { row } of [k, v]) for (const t of [4, 5]) row(1, 0, t).fill(NaN);
  const add = normals(7, batch * heads * qLen * keys);
  await writeSafetensors(input, [
    ...[q, k, v].map((each) => each.tensor),
    tensor('add', [batch, heads, qLen, keys], add),
    { name: 'kv_lens', dtype: 'U8', shape: [batch], data: Uint8Array.from(lens) },
  ]);
  const run = { sizes: { batch, heads, kvHeads, qLen, keys }, q: q.row, k: k.row, v: v.row };
  const change: Twin['change'] = (score, [b, h, i, t]) =>
    score + add[((b! * heads + h!) * qLen + i!) * keys + t!]!;
  for (const [args, sees, changed] of [
    [
      ['--causal', 'first-key'],
      (b: number, _h: number, i: number, t: number) => t <= i && t < lens[b]!,
      undefined,
    ],
    [
      ['--causal', 'none', '--mask', 'add'],
      (b: number, _h: number, _i: number, t: number) => t < lens[b]!,
      change,
    ],
  ] as const) {
    expect((await gqaAttend(input, '--out', output, ...args)).error).toBe('');
    const want = twin({ ...run, sees, ...(changed && { change: changed }) });
    await expectRows(output, want);
  }
});

test('values that are not finite are counted in what is written, not in what fills it up', async () => {
  const of = (name: string, shape: number[], x: number) => {
    return tensor(name, shape, new Float32Array(shape.reduce((n, size) => n * size, 1)).fill(x));
  };
  await writeSafetensors(input, [of('q', [1, 2, 6], 1e19), of('k', [1, 1, 3], 1e20), of('v', [1, 1, 5], 1)]);
  const args = ['--heads', '2', '--kv-heads', '1'];
  const { err, exitCode } = await gqaAttend(input, '--out', output, ...args);
  expect(exitCode).toBe(1);
  // The first query sees no key.
  expect(err).toContain('10 of 20 values of o and 2 of 4 of lse are not finite');
});

test('slopes are those of the paper: halves for 8 heads, and for 12 what lies between them', () => {
  const eight = [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625];
  expect(alibiSlopes(8)).toEqual(eight);
  const between = [1, 3, 5, 7].map((n) => 2 ** (-n / 2));
  expect(alibiSlopes(12)).toEqual([...eight, ...between]);
  expect(alibiSlopes(1)).toEqual([2 ** -8]);
});
