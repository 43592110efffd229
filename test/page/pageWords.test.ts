// pageWords.test.ts: the page's sentences say what its own run is and came to, and nothing else.
import { describe, expect, it } from 'vitest';
import { readSettings } from '../../page/bench/settings.ts';
import {
  leadText,
  methodText,
  progressWords,
  runEnd,
  tuningEnd,
  unfinishedText,
} from '../../page/bench/words.ts';
import type { BenchRow } from '../../bench/schema/schema.ts';
import { shapeWords } from '../../page/bench/tuning.ts';
import { NOT_RUN, result, row, steady, WRONG } from '../support/benchResult.ts';

const run = (query: string) => readSettings(query, true).run;

describe('the lead', () => {
  it('of the standard run', () => {
    expect(leadText(run(''))).toBe(
      'One decoding step of attention in the shape of llama-3.1-8b: 32 query heads of 128, once each with 32, 8, 1 KV heads. ' +
        'The queries are the same; fewer KV heads are less to read from memory. Every output is checked before its time is taken.',
    );
  });

  it('does not say that outputs are checked when they are not', () => {
    expect(leadText(run('?no-check'))).toContain('No output is checked (no-check)');
    expect(leadText(run('?no-check'))).not.toContain('Every output');
    expect(methodText(run('?no-check'))).not.toContain('is compared with');
  });

  it('does not speak of one kernel where several race, nor of fewer KV heads where there is one number', () => {
    expect(leadText(run('?kernel=tiles,plain'))).toContain('by kernels tiles, plain');
    expect(leadText(run('?cache-type-k=f16,int8'))).toContain('with K of f16, int8');
    expect(leadText(run('?kv-heads=1'))).toContain('with 1 KV head. Every');
    for (const query of ['', '?kernel=tiles,plain']) {
      expect(`${leadText(run(query))} ${methodText(run(query))}`).not.toMatch(/same kernel/i);
    }
  });
});

describe('the method', () => {
  it('says how often rows are sampled, and by which option for how long', () => {
    expect(methodText(run(''))).toContain(
      'until every median is known to 2 %, or for about 2 s a row, at most 6 s.',
    );
    expect(methodText(run('?max-time=20'))).toContain('or for about 20 s');
    expect(methodText(run('?reps=3'))).toContain('in shuffled order, 3 times.');
    expect(methodText(run('?reps=1'))).toContain('in shuffled order, once.');
  });

  it('claims no cache to be exceeded, and speaks of cold and hot rows as far as there are such', () => {
    expect(methodText(run(''))).not.toMatch(/too large|hot/);
    expect(methodText(run(''))).toContain('cannot know how large the last-level cache is');
    expect(methodText(run('?cache=hot'))).toContain('A hot row');
    expect(methodText(run('?cache=hot'))).not.toContain('A cold row');
  });
});

describe('the end of a run', () => {
  const good = row(8, 256, steady(1));
  const ended = (state: 'done' | 'stopped', rows: readonly BenchRow[]) => ({ state, result: result(rows) });

  it('counts what was timed and checked', () => {
    expect(runEnd(ended('done', [good, good]), 2)).toBe(
      'Done: 2 of 2 rows timed, 2 checked against float64.',
    );
    expect(runEnd(ended('done', [good, row(1, 256, [1], WRONG)]), 2)).toBe(
      'Done: 1 of 2 rows timed, 2 checked against float64, 1 of them wrong.',
    );
    expect(runEnd(ended('done', [{ ...good, check: null }, row(1, 256, [1], NOT_RUN)]), 2)).toBe(
      'Done: 1 of 2 rows timed, none checked.',
    );
  });

  it('says which rows are the result of a run that was cut short, or that those before stay', () => {
    expect(runEnd({ state: 'stopped' }, 9)).toBe('Stopped. No row was finished.');
    expect(runEnd({ state: 'stopped' }, 9, true)).toBe(
      'Stopped. No row was finished. The results of the run before stay.',
    );
    expect(runEnd(ended('stopped', [good]), 9)).toBe(
      'Stopped. 1 of 9 rows were finished; they are the result.',
    );
    const failed = { state: 'error', code: 'unexpected', message: '' } as const;
    expect(runEnd(failed, 9)).toBe('The run failed. No row was finished. More below.');
    expect(runEnd({ ...failed, code: 'device-lost' }, 9)).toMatch(
      /^The GPU was lost .* ask less of it\. No row/,
    );
  });

  it('of a tuning says whether it is kept', () => {
    expect(tuningEnd({ state: 'tuned', found: [] }, true)).toMatch(/^Tuned\. Runs in this browser use/);
    expect(tuningEnd({ state: 'tuned', found: [] }, false)).toMatch(/^Tuned, but .* lost\.$/);
    expect(tuningEnd({ state: 'stopped' }, false)).toBe('Stopped. Nothing of this tuning is kept.');
  });
});

it.each([
  ['preparing gqa @ d4096', 'Preparing GQA at 4,096 tokens'],
  ['d256: round 3', '256 tokens: round 3'],
  ['measuring the read ceiling', 'Measuring the read ceiling'],
])('progress %s in words', (text, words) => {
  expect(progressWords(text)).toBe(words);
});

it('tells of a run that ended with its tab where it was and what asks less', () => {
  expect(unfinishedText('preparing mha @ d65536')).toMatch(
    /^The last run did not finish \(Preparing MHA at 65,536 tokens\): .* ask less of the device\.$/,
  );
});

it('names classes of tuned shapes in words, and those of another form as they are', () => {
  expect(shapeWords('d128_rows4_heads8_f16')).toBe(
    'heads of 128, 4 query heads to a KV head, up to 8 KV heads, f16',
  );
  expect(shapeWords('d64_rows2_heads1_int8-f16')).toBe(
    'heads of 64, 2 query heads to a KV head, 1 KV head, int8-f16',
  );
  expect(shapeWords('other')).toBe('other');
});
