// attendRope.node.test.ts: `gqa attend --rope-base`: rows turned by their positions, against turns in float64.
import { expect, test } from 'vitest';
import { writeSafetensors } from '../../src/checkpoint/format/file.ts';
import { ropeFrequencies } from '../../src/numbers/rope.ts';
import { turned } from '../reference/rope.ts';
import { expectClose, expectRows, outputs, random, tensor, twin } from './attendTwin.ts';
import { attendFolder, gqaAttend } from './gqaAttend.ts';

const { input, output } = attendFolder();

const run = (args: string) => gqaAttend(input, '--out', output, ...args.split(' '));

/** A row turned by 2000-based frequencies of its first `dim` elements. */
function turn(row: Float32Array, style: 'half' | 'interleaved', dim: number, position: number): Float32Array {
  const { frequencies } = ropeFrequencies({ headDim: row.length, rotaryDim: dim, base: 2000 });
  return Float32Array.from(turned(Array.from(row), style, frequencies, 1, position));
}

test('ragged lengths, pairs side by side, a part of the row: queries turn with the keys that they are aligned to', async () => {
  const [batch, heads, kvHeads, qLen, keys, D] = [2, 6, 2, 3, 30, 20];
  const lens = [30, 7];
  const [q, k, v] = [
    random('q', 1, [batch, heads, qLen, D]),
    random('k', 2, [batch, kvHeads, keys, D]),
    random('v', 3, [batch, kvHeads, keys, D]),
  ];
  k.row(1, 1, 9).fill(NaN); // behind the length
  await writeSafetensors(input, [
    ...[q, k, v].map((each) => each.tensor),
    { name: 'kv_lens', dtype: 'I32', shape: [batch], data: Int32Array.from(lens) },
  ]);
  const { error } = await run(
    '--rope-base 2000 --rope-style interleaved --rope-dim 14 --window 5 --page-size 8',
  );
  expect(error).toBe('');
  const own = (b: number, i: number) => lens[b]! - qLen + i;
  const want = twin({
    sizes: { batch, heads, kvHeads, qLen, keys },
    q: (b, h, i) => turn(q.row(b, h, i), 'interleaved', 14, own(b, i)),
    k: (b, h, t) => turn(k.row(b, h, t), 'interleaved', 14, t),
    v: v.row,
    sees: (b, _h, i, t) => t <= own(b, i) && t > own(b, i) - 5,
  });
  await expectRows(output, want);
});

test('a past comes turned; new keys and queries turn behind it, and present_k has them so', async () => {
  const [batch, heads, kvHeads, qLen, past, D] = [2, 2, 1, 4, 5, 8];
  const keys = past + qLen;
  const [q, k, v, pk, pv] = [
    random('q', 1, [batch, heads, qLen, D]),
    random('k', 2, [batch, kvHeads, qLen, D]),
    random('v', 3, [batch, kvHeads, qLen, D]),
    random('pk', 4, [batch, kvHeads, past, D]),
    random('pv', 5, [batch, kvHeads, past, D]),
  ];
  await writeSafetensors(
    input,
    [q, k, v, pk, pv].map((each) => each.tensor),
  );
  const { error } = await run('--rope-base 2000 --past-k pk --past-v pv --causal first-key');
  expect(error).toBe('');
  const key = (b: number, h: number, t: number) =>
    t < past ? pk.row(b, h, t) : turn(k.row(b, h, t - past), 'half', D, t);
  const want = twin({
    sizes: { batch, heads, kvHeads, qLen, keys },
    q: (b, h, i) => turn(q.row(b, h, i), 'half', D, past + i),
    k: key,
    v: (b, h, t) => (t < past ? pv.row(b, h, t) : v.row(b, h, t - past)),
    sees: (_b, _h, i, t) => t <= past + i,
  });
  await expectRows(output, want);
  const { present_k } = await outputs(output);
  expectClose(
    present_k!.data,
    Array.from({ length: batch * keys }, (_, row) =>
      Array.from(key(Math.floor(row / keys), 0, row % keys)),
    ).flat(),
  );
});

test('more rows than go to the device at once', async () => {
  const [keys, D] = [4100, 8];
  const [q, k] = [random('q', 1, [1, 1, 1, D]), random('k', 2, [1, 1, keys, D])];
  const v = tensor(
    'v',
    [1, 1, keys, D],
    random('v', 3, [1, 1, keys, D]).tensor.data as Float32Array<ArrayBuffer>,
  );
  await writeSafetensors(input, [q.tensor, k.tensor, v]);
  expect((await run('--rope-base 2000 --scores scaled')).error).toBe('');
  const { scores } = await outputs(output);
  const query = turn(q.row(0, 0, 0), 'half', D, keys - 1);
  const want = Array.from({ length: keys }, (_, t) => {
    const key = turn(k.row(0, 0, t), 'half', D, t);
    return query.reduce((sum, x, d) => sum + x * key[d]!, 0) / Math.sqrt(D);
  });
  expectClose(scores!.data, want);
});

test('bad options and rows without positions are refused, and nothing is written', async () => {
  const rows = (name: string, count: number, D: number) => random(name, 1, [1, 1, count, D]).tensor;
  await writeSafetensors(input, [rows('q', 3, 5), rows('k', 2, 5), rows('v', 2, 5)]);
  const { error } = await run('--rope-base 2000');
  expect(error).toBe('--rope-base: expected an even D, or --rope-dim beside it, got a D of 5');
  expect((await run('--rope-base 2000 --rope-dim 6')).error).toBe('--rope-dim: expected at most D, 5, got 6');
  expect((await run('--rope-base 2000 --rope-dim 4')).error).toContain(
    'tensor "q": --rope-base: expected as many keys as queries, 3, or more, for each query to have a position; got 2 of sequence 0',
  );
  expect((await run('--rope-style half')).error).toContain(
    '--rope-style: expected --rope-base beside it, got none',
  );
  expect((await run('--rope-dim 4')).error).toContain('--rope-dim: expected --rope-base beside it, got none');
  expect((await run('--rope-base 1')).error).toContain('expected a number above 1, got "1".');
  expect((await run('--rope-base 9 --rope-dim 3')).error).toContain('expected an even number, got "3".');
  await expect(outputs(output)).rejects.toThrow();
});
