// pageAnswer.test.ts: the sentence that a run comes to, and how sure it is; what does not fit is a result too.
import { describe, expect, it } from 'vitest';
import { answerOf } from '../../page/bench/answer.ts';
import { misfitCure, misfitOf, misfitReason, type Place } from '../../page/bench/fits.ts';
import { ratioOf, ratioText, shareWords } from '../../page/bench/ratio.ts';
import { NO_TIME, noisy, row, steady, WRONG } from '../support/benchResult.ts';

const MIB = 2 ** 20;
const GPU: Place = { software: false, limits: { maxBindingBytes: 2 ** 31, maxBufferBytes: 2 ** 31 } };

const timed = (kvHeads: number, us: number, depth = 1024) => row(kvHeads, depth, steady(1000 * us));

/** Samples whose 95 % interval is the median and `half` to each side of it. */
function spreadOut(us: number, half: number): number[] {
  return [-half, -half, -half, 0, 0, 0, half, half, half].map((off) => 1000 * (us + off));
}

describe('the answer', () => {
  it('says how much faster the model’s own KV heads are than all, with the interval, and the cache that they need', () => {
    const rows = [
      row(32, 1024, spreadOut(260, 2)),
      row(8, 1024, spreadOut(100, 3)),
      row(1, 1024, spreadOut(50, 1)),
    ];
    const answer = answerOf(rows, GPU)!;
    expect(answer.headline).toBe(
      'On this GPU, grouped-query attention with 8 KV heads is 2.6× (± 0.2) faster than multi-head attention at 1,024 tokens and needs a quarter of the cache.',
    );
    expect(answer.more[0]).toBe('Multi-query, 1 KV head: 5.2× (± 0.2) faster, 1/32 of the cache.');
    expect(answer.kind).toBe('measured');
  });

  it('names a software adapter for what it is', () => {
    const { headline } = answerOf([timed(32, 200), timed(8, 100)], { ...GPU, software: true })!;
    expect(headline).toMatch(
      /^On this CPU \(software renderer\), grouped-query attention with 8 KV heads is 2\.00×/,
    );
  });

  it('speaks of the deepest context that has times, and of no rows not at all', () => {
    const rows = [timed(32, 200), timed(8, 100), timed(32, 900, 4096), timed(8, 300, 4096)];
    expect(answerOf(rows, GPU)!.headline).toContain(
      '3.00× (± 0.01) faster than multi-head attention at 4,096 tokens',
    );
    expect(answerOf([...rows.slice(0, 2), row(32, 4096, [1], NO_TIME)], GPU)!.headline).toContain(
      'at 1,024 tokens',
    );
    expect(answerOf([], GPU)).toBeUndefined();
  });

  it('calls slower what is slower, and unclear what the intervals cannot tell', () => {
    expect(answerOf([timed(32, 100), timed(8, 150)], GPU)!.headline).toContain(
      'is 1.50× (± 0.01) slower than multi-head attention',
    );
    const unclear = answerOf([row(32, 1024, spreadOut(100, 4)), row(8, 1024, spreadOut(98, 4))], GPU)!;
    expect(unclear.headline).toContain(
      'shows no clear difference from multi-head attention at 1,024 tokens: 1.02× (± 0.09) as fast; it needs a quarter of the cache.',
    );
  });

  it('is rough where times did not settle or samples are too few, and says which', () => {
    const loose = answerOf([row(32, 1024, noisy(260e3), { warnings: ['noisy'] }), timed(8, 100)], GPU)!;
    expect(loose.kind).toBe('rough');
    expect(loose.more.at(-1)).toMatch(/^Times did not settle \(MHA\): run it again/);
    const few = answerOf([row(32, 1024, steady(260e3, 3)), row(8, 1024, steady(100e3, 3))], GPU)!;
    expect(few.headline).toContain('is about 2.6× faster than');
    expect(few.more.at(-1)).toMatch(/^Too few samples/);
    expect(answerOf([{ ...timed(32, 2), check: null }, timed(8, 1)], GPU)!.more.at(-1)).toMatch(
      /^No output was checked/,
    );
  });

  it('takes no time of a wrong row, and says that it is wrong', () => {
    const rows = [timed(32, 200), row(8, 1024, [1], WRONG), timed(1, 100)];
    const answer = answerOf(rows, GPU)!;
    expect(answer.headline).toContain('multi-query attention (1 KV head) is 2.00×');
    expect(answer.more).toContain(
      'Grouped-query attention with 8 KV heads computed a wrong result here, and its time is not taken.',
    );
    const all = answerOf([row(32, 1024, [1], WRONG), row(8, 1024, [1], WRONG)], GPU)!;
    expect(all.headline).toBe('On this GPU, a result came out wrong; wrong rows have no time.');
    expect(all.kind).toBe('none');
  });

  it('compares nothing with a wrong base or with none', () => {
    const answer = answerOf([row(32, 1024, [1], WRONG), timed(8, 100)], GPU)!;
    expect(answer.headline).toMatch(
      /^On this GPU, grouped-query attention with 8 KV heads takes 100 µs .* at 1,024 tokens\.$/,
    );
    expect(answer.more[0]).toMatch(/^Multi-head attention computed a wrong result/);
    const single = answerOf([timed(8, 2500)], GPU)!;
    expect(single.headline).toContain('takes 2.50 ms');
    expect(single.more[0]).toMatch(/^Another number of KV heads/);
    // Against the most KV heads that there are.
    expect(answerOf([timed(16, 200), timed(8, 100)], GPU)!.headline).toContain(
      'is 2.00× (± 0.01) faster than grouped-query attention with 16 KV heads at 1,024 tokens and needs half the cache.',
    );
  });

  it('says of rows without a time why, and what has one', () => {
    const answer = answerOf([row(32, 1024, [1], NO_TIME), row(8, 1024, [1], NO_TIME)], GPU)!;
    expect(answer.headline).toBe('On this GPU, no row got a time at 1,024 tokens.');
    expect(answer.more[0]).toContain('too short for this browser’s clock: a longer context has a time');
  });

  it('says what of caches does not fit, and what would', () => {
    const limits = { maxBindingBytes: 128 * MIB, maxBufferBytes: 256 * MIB };
    const big = row(32, 2 ** 20, [1], { time: null, check: null, error: 'too large' });
    const answer = answerOf([big, row(8, 2 ** 20, [1], { time: null, check: null, error: 'too large' })], {
      software: false,
      limits,
    })!;
    expect(answer.headline).toBe('On this GPU, none of these caches fits at 1,048,576 tokens.');
    expect(answer.more).toContain(
      'Multi-head attention does not fit here: K of one KV head takes 256 MiB, and a buffer here holds 128 MiB. ' +
        'What fits: a context of up to 524,288 tokens, or a cache of int4.',
    );
  });
});

describe('what fits', () => {
  const limits = { maxBindingBytes: 128 * MIB, maxBufferBytes: 256 * MIB };
  const { params } = row(32, 600_000, [1]);

  it('is nothing to say of a row that does, to the byte, nor of one in pages', () => {
    expect(misfitOf({ ...params, depth: 2 ** 19, capacity: 2 ** 19 }, limits)).toBeUndefined();
    expect(misfitOf({ ...params, depth: 2 ** 19 + 1, capacity: 2 ** 19 + 1 }, limits)).toMatchObject({
      what: 'K',
      bytes: 128 * MIB + 128 * 2,
      most: 128 * MIB,
    });
    expect(misfitOf({ ...params, pageSize: 16 }, limits)).toBeUndefined();
  });

  it('names a shorter context and smaller types as far as they fit', () => {
    const misfit = misfitOf(params, limits)!;
    expect(misfit).toEqual({
      what: 'K',
      bytes: 600_000 * 256,
      most: 128 * MIB,
      depth: 524_288,
      types: ['int8', 'int4'],
    });
    expect(misfitReason(misfit)).toBe('K of one KV head takes 146.484 MiB, and a buffer here holds 128 MiB');
    expect(misfitCure(misfit)).toBe(
      'What fits: a context of up to 524,288 tokens, or a cache of int8 or int4.',
    );
  });

  it('speaks of V where that is the larger', () => {
    const wide = misfitOf({ ...params, kvHeads: 1, capacity: 2 ** 20, kType: 'int4', vType: 'f32' }, limits)!;
    expect(wide).toMatchObject({ what: 'V', bytes: 512 * MIB });
  });
});

describe('a ratio', () => {
  it('has the interval that both medians allow, of the decimals that it has', () => {
    const ratio = ratioOf(row(32, 64, spreadOut(200, 10)), row(8, 64, spreadOut(100, 10)));
    // From 190 / 110 to 210 / 90.
    expect(ratio.off).toBeCloseTo(210 / 90 - 2, 10);
    expect(ratioText(ratio)).toBe('2.0× (± 0.4)');
  });

  it('is no clear one when the uncertainty that is shown reaches 1', () => {
    const ratio = ratioOf(row(32, 64, spreadOut(300, 200)), row(8, 64, spreadOut(60, 39)));
    expect(ratio.verdict).toBe('alike');
  });

  it('is no closer than the clock: a steady time of a coarse clock is uncertain', () => {
    const coarse = ratioOf(row(32, 64, steady(100_000), { clockNs: 20_000 }), row(8, 64, steady(95_000)));
    expect(coarse.verdict).toBe('alike');
  });

  it('writes its uncertainty rounded up, never as nothing', () => {
    const text = (value: number, off: number | null) =>
      ratioText({ verdict: 'faster', faster: value, value, off });
    expect(text(2.6, 0.11)).toBe('2.6× (± 0.2)');
    expect(text(2.6, 0.1)).toBe('2.6× (± 0.1)');
    expect(text(31.4, 2.5)).toBe('31× (± 3)');
    expect(text(2.6, 0)).toBe('2.60× (± 0.01)');
    expect(text(2.63, null)).toBe('about 2.6×');
  });
});

it.each([
  [4, 1, 'a quarter of the cache'],
  [2, 1, 'half the cache'],
  [32, 1, '1/32 of the cache'],
  [3, 2, '67 % of the cache'],
  [1, 1, 'as much cache'],
])('a cache of %i to %i parts needs %3$s', (all, some, words) => {
  expect(shareWords(all, some)).toBe(words);
});
