// pageWords.test.ts: the page's sentences say what its own run is and came to, and nothing else.
import { describe, expect, it } from 'vitest';
import { readSettings } from '../../page/bench/settings.ts';
import { leadText, methodText, runEnd, tuningEnd } from '../../page/bench/words.ts';
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
  const done = { state: 'done', result: result([]) } as const;

  it('counts what was timed and checked', () => {
    expect(runEnd(done, [good, good], 2)).toBe('Done: 2 of 2 rows timed, 2 checked against float64.');
    expect(runEnd(done, [good, row(1, 256, [1], WRONG)], 2)).toBe(
      'Done: 1 of 2 rows timed, 2 checked against float64, 1 of them wrong.',
    );
    expect(runEnd(done, [{ ...good, check: null }, row(1, 256, [1], NOT_RUN)], 2)).toBe(
      'Done: 1 of 2 rows timed, none checked.',
    );
  });

  it('says of rows that they stay only when there are some', () => {
    expect(runEnd({ state: 'stopped' }, [], 9)).toBe('Stopped. No row was finished.');
    expect(runEnd({ state: 'stopped' }, [good], 9)).toMatch(/^Stopped\. 1 of 9 rows were finished and stay/);
    const failed = { state: 'error', code: 'device-lost', message: '' } as const;
    expect(runEnd(failed, [], 9)).toBe('The run failed; see above. No row was finished.');
  });

  it('of a tuning says whether it is kept', () => {
    expect(tuningEnd({ state: 'tuned', found: [] }, true)).toMatch(/^Tuned\. Runs in this browser use/);
    expect(tuningEnd({ state: 'tuned', found: [] }, false)).toMatch(/^Tuned, but .* lost\.$/);
    expect(tuningEnd({ state: 'stopped' }, false)).toBe('Stopped. Nothing of this tuning is kept.');
  });
});
