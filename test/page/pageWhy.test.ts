// pageWhy.test.ts: the sentence beside the slider says what was measured, and gives no reason that was not.
import { expect, it } from 'vitest';
import { whySentence } from '../../page/bench/why.ts';
import type { BenchRow } from '../../bench/schema/schema.ts';
import { NOT_RUN, result, row, steady, WRONG } from '../support/benchResult.ts';

const at = (kvHeads: number, ns: number, more: Partial<BenchRow> = {}) =>
  row(kvHeads, 4096, steady(ns), more);
const mha = at(32, 262_144);
const { ceiling } = result([mha]).context;

function why(own: BenchRow, base = mha): string {
  return whySentence([base, own], ceiling, own);
}

it('says where the time goes of a row that is far from its ideal', () => {
  expect(why(at(1, 40_960))).toBe(
    'Its keys and values are 2 MiB where multi-head attention reads 64 MiB, which promises 32.0×. It gets 6.40×: reading takes 4.10 µs of its 41.0 µs at ' +
      "this device's ceiling, and the other 36.9 µs (131 µs in multi-head attention) do not shrink with the bytes.",
  );
});

it('says so where the bytes give what they promise', () => {
  expect(why(at(8, 65_536))).toContain('the promised 4.00× is what one gets here, 4.00×.');
});

it.each([
  [
    'did not settle',
    at(1, 40_960, { warnings: ['noisy'] }),
    /about 6\.40×, of times that did not settle yet/,
  ],
  ['may be cached', at(1, 40_960, { cold: false }), /may stay in a cache/],
  ['is wrong', at(1, 40_960, WRONG), /no time, for wrong result/],
  ['did not run', at(1, 40_960, NOT_RUN), /no time, for too large/],
])('gives no reason of a row that %s', (_, own, text) => {
  expect(why(own)).toMatch(text);
  expect(why(own)).not.toContain('ceiling');
});

it('compares nothing where multi-head attention has no time, and not with itself', () => {
  expect(why(at(8, 65_536), at(32, 262_144, NOT_RUN))).toBe(
    'There is no time of multi-head attention to compare with.',
  );
  expect(whySentence([mha], ceiling, mha)).toContain('This is multi-head attention');
});
