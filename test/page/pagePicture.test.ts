// pagePicture.test.ts: the picture of shared heads: who reads what, drawn and said.
import { describe, expect, it, test } from 'vitest';
import { kvHeadChoices, kvHeadOf, kvHeadText, readersOf, sharingText } from '../../page/picture/sharing.ts';

test('the slider has every number of KV heads that divides the query heads, and no other', () => {
  expect(kvHeadChoices(32)).toEqual([32, 16, 8, 4, 2, 1]);
  expect(kvHeadChoices(14)).toEqual([14, 7, 2, 1]);
  expect(kvHeadChoices(1)).toEqual([1]);
});

test.each(kvHeadChoices(12).map((kvHeads) => ({ heads: 12, kvHeads })))(
  'every query head reads one KV head: $kvHeads of $heads',
  (sharing) => {
    for (let hk = 0; hk < sharing.kvHeads; hk++) {
      const { first, last } = readersOf(sharing, hk);
      expect(last - first + 1).toBe(sharing.heads / sharing.kvHeads);
      for (let h = 0; h < sharing.heads; h++)
        expect(kvHeadOf(sharing, h) === hk).toBe(h >= first && h <= last);
    }
  },
);

describe('sentences', () => {
  it('of the three ways', () => {
    expect(sharingText({ heads: 32, kvHeads: 32 })).toBe(
      'Every query head has a KV head of its own: all 32 are loaded for each new token.',
    );
    expect(sharingText({ heads: 32, kvHeads: 8 })).toBe(
      '4 query heads share each KV head: 8 are loaded for each new token, 1/4 of what multi-head attention reads.',
    );
    expect(sharingText({ heads: 32, kvHeads: 1 })).toContain('All 32 query heads share one KV head');
  });

  it('of a head count from 1', () => {
    expect(kvHeadText({ heads: 32, kvHeads: 8 }, 2)).toBe(
      'KV head 3 is loaded once and used by query heads 9 to 12.',
    );
    expect(kvHeadText({ heads: 8, kvHeads: 8 }, 0)).toBe('KV head 1 is loaded for query head 1 alone.');
    expect(kvHeadText({ heads: 8, kvHeads: 1 }, 0)).toBe(
      'The one KV head is loaded once and used by all 8 query heads.',
    );
  });
});
