// pageShare.test.ts: results in links and files: what comes out of a link, what damaged and hostile ones do, the same run here.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareResults, STANDARD_MARGIN } from '../../bench/report/compare.ts';
import { csvReport } from '../../bench/report/csvReport.ts';
import { markdownReport } from '../../bench/report/report.ts';
import { parseResult } from '../../bench/schema/readResult.ts';
import type { BenchResult } from '../../bench/schema/schema.ts';
import { readSettings } from '../../page/bench/settings.ts';
import { fromBase64Url, toBase64Url } from '../../page/share/base64Url.ts';
import { compactText, expanded } from '../../page/share/compact.ts';
import { deflate, inflate } from '../../page/share/deflate.ts';
import { applyDelta, delta, type Json } from '../../page/share/delta.ts';
import { checkPlausible } from '../../page/share/plausible.ts';
import { readResultFiles } from '../../page/share/resultFiles.ts';
import { sameRun } from '../../page/share/sameRun.ts';
import { readShareLink, shareLink } from '../../page/share/shareLink.ts';
import { summaryOf } from '../../page/share/summary.ts';
import { NAMES } from '../../page/share/usual.ts';
import { deviceText, originText, verdictText } from '../../page/share/words.ts';
import { rowGroups } from '../../bench/run/rows.ts';
import { NO_TIME, NOT_RUN, noisy, result, row, steady, WRONG } from '../support/benchResult.ts';
import { wholeResultOf, wholeRow } from '../support/wholeResult.ts';

/** The standard run as a browser on a GPU would measure it. */
const NINE = result(
  [1024, 4096, 16384].flatMap((depth) =>
    [32, 8, 1].map((kvHeads) => row(kvHeads, depth, noisy(kvHeads * depth * 1.237, 31))),
  ),
  {
    runtime: { kind: 'chrome', version: '147.0.0.0' },
    label: 'desk, RTX 3060',
    features: [
      'bgra8unorm-storage',
      'depth-clip-control',
      'float32-filterable',
      'shader-f16',
      'subgroups',
      'timestamp-query',
    ],
    warnings: [
      {
        code: 'noisy',
        text: '3 of 9 rows did not settle (a median known only to ±9 %): the machine may be busy',
      },
    ],
  },
);

async function read(link: string): Promise<BenchResult> {
  const shared = await readShareLink(link);
  if (shared.state !== 'read') throw new Error(JSON.stringify(shared));
  return shared.result;
}

const whyBad = async (hash: string) => {
  const shared = await readShareLink(hash);
  return shared.state === 'bad' ? shared.why : shared.state;
};

/** A link of any text, as if a page had made it. */
async function linkOf(text: string, version = 1): Promise<string> {
  const body = await deflate(new TextEncoder().encode(text));
  const hash = body.reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193), 0x811c9dc5) >>> 0;
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = version;
  new DataView(bytes.buffer).setUint32(1, hash);
  bytes.set(body, 5);
  return `#compare=${toBase64Url(bytes)}`;
}

describe('a link', () => {
  it('of nine rows is shorter than 2 kB, of nothing that programs cut off or escape', async () => {
    const link = await shareLink(NINE);
    expect(link.length).toBeLessThan(2000);
    expect(link).toMatch(/^#compare=[\w-]*[a-zA-Z0-9]$/);
  });

  it('comes back as a result by its schema, and says the same in tables, but for samples', async () => {
    const back = await read(await shareLink(NINE));
    expect(back).toEqual(JSON.parse(JSON.stringify(summaryOf(NINE))));
    expect(parseResult(JSON.stringify(back), 'x')).toEqual(back);
    expect(markdownReport(back)).toBe(markdownReport(summaryOf(NINE)));
    // Times in five digits stand in the tables of four.
    expect(markdownReport(back)).toBe(markdownReport(NINE));
    expect(back.results.map(({ time }) => [time!.samples, time!.samplesNs.length])).toEqual(
      NINE.results.map(() => [31, 1]),
    );
    expect(csvReport(back).split('\n')[1]).toContain(',31,');
  });

  it('is read with its sign of equality escaped, as some sites show links', async () => {
    const escaped = (await shareLink(NINE)).replace('=', '%3D');
    expect((await readShareLink(escaped)).state).toBe('read');
  });

  it('ends in a letter or a digit, whatever it holds', async () => {
    for (let i = 0; i < 40; i++) {
      const link = await shareLink(result([row(32, 64, [1])], { label: `desk ${i}` }));
      expect(link).toMatch(/[a-zA-Z0-9]$/);
      expect((await read(link)).context.label).toBe(`desk ${i}`);
    }
  });

  it('keeps rows that are wrong, could not run or have no time, and few samples as they are', async () => {
    const odd = result([
      row(32, 64, [3, 1, 2]),
      row(8, 64, steady(1), WRONG),
      row(1, 64, steady(1), NOT_RUN),
      row(1, 128, steady(1), NO_TIME),
    ]);
    const back = await read(await shareLink(odd));
    expect(back.results.map(({ error }) => error)).toEqual(odd.results.map(({ error }) => error));
    expect(back.results[0]!.time).toMatchObject({ samplesNs: [3, 1, 2], ci95: null });
    expect(back.results[0]!.time).not.toHaveProperty('samples');
    expect(markdownReport(back)).toBe(markdownReport(odd));
  });

  it('is refused when it would be longer than programs pass on', async () => {
    const many = Array.from({ length: 900 }, (_, i) => row(32, 64 + i, noisy((i * 7919) % 10_007)));
    await expect(shareLink(result(many))).rejects.toThrow('too long for a link (900 rows)');
  });

  it('says what is missing in a browser that cannot compress', async () => {
    const link = await shareLink(NINE);
    const { CompressionStream: kept } = globalThis;
    Reflect.deleteProperty(globalThis, 'CompressionStream');
    try {
      await expect(shareLink(NINE)).rejects.toThrow('cannot compress');
      expect(await whyBad(link)).toContain('Safari from 16.4');
    } finally {
      globalThis.CompressionStream = kept;
    }
  });
});

describe('a link that is none', () => {
  it('is not taken for one', async () => {
    for (const hash of ['', '#', '#compare', '#check', '#compared=x'])
      expect(await whyBad(hash)).toBe('none');
  });

  it('cut anywhere is bad, and so is one with any character changed', async () => {
    const link = await shareLink(NINE);
    const start = '#compare='.length;
    for (let end = start; end < link.length; end += 7)
      expect(await whyBad(link.slice(0, end))).toMatch(/^The link/);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(link.length - start - 2),
        fc.constantFrom(...'A B C x y z 0 1 9 - _'.split(' ')),
        async (at, character) => {
          const changed = link.slice(0, start + at) + character + link.slice(start + at + 1);
          expect(changed === link || (await whyBad(changed)).startsWith('The link cannot be read: ')).toBe(
            true,
          );
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });

  it('of any bytes or any JSON never throws', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        expect(await whyBad(`#compare=${text}`)).toMatch(/^The link/);
      }),
      { seed: 2, numRuns: 100 },
    );
    await fc.assert(
      fc.asyncProperty(fc.json(), async (text) => {
        expect(await whyBad(await linkOf(text))).toMatch(/^The link/);
      }),
      { seed: 3, numRuns: 100 },
    );
  });

  it('of a valid one with any field replaced is bad or by the schema', async () => {
    const { context, results } = summaryOf(NINE);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          ...Object.keys(context),
          ...Object.keys(results[0]!),
          ...Object.keys(results[0]!.params),
        ),
        fc.jsonValue(),
        async (name, value) => {
          const change = { [name]: value };
          const [first, ...rest] = results;
          const params = { ...first!.params, ...(name in first!.params && change) };
          const whole = {
            ...NINE,
            context: { ...context, ...(name in context && change) },
            results: [{ ...first, params, ...(name in first! && change) }, ...rest],
          };
          const shared = await readShareLink(
            await linkOf(compactText(JSON.parse(JSON.stringify(whole)) as Json)),
          );
          if (shared.state === 'read') markdownReport(shared.result);
          else expect(shared.state).toBe('bad');
        },
      ),
      { seed: 4, numRuns: 100 },
    );
  });

  it('of a later format, another suite, or none says so', async () => {
    expect(await whyBad(await linkOf('[]', 2))).toContain('format 2, this page reads 1');
    const older = compactText(JSON.parse(JSON.stringify({ ...summaryOf(NINE), suite: '1' })) as Json);
    expect(await whyBad(await linkOf(older))).toContain('suite: expected "2", got "1"');
    const newer = compactText(
      JSON.parse(JSON.stringify({ ...summaryOf(NINE), schema: 'gqa-bench/9' })) as Json,
    );
    expect(await whyBad(await linkOf(newer))).toContain('expected "gqa-bench/1", got "gqa-bench/9"');
  });

  it('that grows without end is given up before it has', async () => {
    expect(await whyBad(await linkOf(' '.repeat(2 ** 24)))).toContain('grows beyond 1 MiB');
    const bomb = await deflate(new Uint8Array(2 ** 26));
    await expect(inflate(bomb, 2 ** 16)).rejects.toThrow('grows beyond');
    // Rows that take two bytes each, of a text that all of them have.
    const rows = [{ error: 'x'.repeat(90_000) }, ...Array.from({ length: 5000 }, () => ({}))];
    expect(await whyBad(await linkOf(JSON.stringify([{}, {}, rows])))).toContain(
      '5001 rows, more than a link holds',
    );
    expect(await whyBad(await linkOf('['.repeat(500_000)))).toMatch(/^The link/);
    expect(await whyBad(`#compare=${'A'.repeat(40_000)}`)).toContain('longer than this page makes any');
  });

  it('with sizes that would take the page’s memory, or an interval beside its median, is bad', () => {
    const [first] = NINE.results;
    const having = (params: object, time = {}) =>
      result([{ ...first!, params: { ...first!.params, ...params }, time: { ...first!.time!, ...time } }]);
    expect(() => checkPlausible(NINE)).not.toThrow();
    expect(() => checkPlausible(having({ batch: 1e9 }))).toThrow('its batch is 1000000000');
    expect(() => checkPlausible(having({ depth: 0.5 }))).toThrow('its depth is 0.5');
    expect(() => checkPlausible(having({ requests: '4096q1s1_'.repeat(99) }))).toThrow('too many requests');
    expect(() => checkPlausible(having({}, { samples: 9, ci95: [-1, 5] }))).toThrow(
      'does not hold its median',
    );
    expect(() => checkPlausible(having({}, { samples: 9, ci95: null }))).toThrow('does not hold its median');
    expect(() => checkPlausible(result(Array.from({ length: 1001 }, () => first!)))).toThrow(
      'at most 1000 rows',
    );
  });
});

describe('the parts of a link', () => {
  // No result has a field of that name, which says what is gone.
  const json = fc
    .jsonValue({ maxDepth: 3 })
    .filter((value) => !JSON.stringify(value).includes('"-":')) as fc.Arbitrary<Json>;

  it('differences give back what they were taken of', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(applyDelta(a, delta(a, b))).toEqual(b);
        expect(delta(b, b)).toBeUndefined();
      }),
      { seed: 5, numRuns: 500 },
    );
  });

  it('a compact text gives back any context and rows, whatever names they have', () => {
    const fields = fc
      .dictionary(fc.oneof(fc.string(), fc.constantFrom('a', '_a', '0', 'median', 'z9')), json)
      .filter((each) => !('-' in each) && !('__proto__' in each));
    fc.assert(
      fc.property(fields, fc.array(fields), (context, results) => {
        const whole = JSON.parse(JSON.stringify({ schema: 's', context, results })) as Json;
        expect(expanded(compactText(whole))).toEqual(whole);
      }),
      { seed: 6, numRuns: 100 },
    );
    expect(new Set(NAMES).size).toBe(NAMES.length);
  });

  it('base64url is RFC 4648’s, of any bytes', () => {
    expect(toBase64Url(new TextEncoder().encode('foob>?'))).toBe('Zm9vYj4_');
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes);
      }),
      { seed: 7 },
    );
    for (const bad of ['a', 'ab=', 'a+bc', 'ä']) expect(fromBase64Url(bad)).toBeUndefined();
  });
});

describe('a comparison of a shared result', () => {
  it('has the verdicts of the files it was made of', async () => {
    const after = result(
      NINE.results.map((each, i) =>
        row(each.params.kvHeads, each.params.depth, noisy(each.time!.median * [1, 1.3, 0.6][i % 3]!, 31)),
      ),
    );
    const full = compareResults({ name: 'a', result: NINE }, { name: 'b', result: after }, STANDARD_MARGIN);
    const [a, b] = [await read(await shareLink(NINE)), await read(await shareLink(after))];
    const shared = compareResults({ name: 'a', result: a }, { name: 'b', result: b }, STANDARD_MARGIN);
    const verdicts = (of: typeof full) => of.rows.map(({ change }) => change!.verdict);
    expect(verdicts(shared)).toEqual(verdicts(full));
    expect(new Set(verdicts(full))).toEqual(new Set(['inconclusive', 'slower', 'faster']));
    for (const [i, { change }] of shared.rows.entries()) {
      const [low, high] = full.rows[i]!.change!.interval!;
      expect(change!.change).toBeCloseTo(full.rows[i]!.change!.change, 3);
      // Two intervals tell less than the samples: never much narrower, at most half as wide again.
      const share = (change!.interval![1] - change!.interval![0]) / (high - low);
      expect(share).toBeGreaterThan(0.9);
      expect(share).toBeLessThan(1.5);
    }
  });

  it('says how many rows got which verdict', async () => {
    const side = (name: string, ...times: number[]) => ({
      name,
      result: result(times.map((ns, i) => row(32, 64 + i, steady(ns)))),
    });
    const said = (a: ReturnType<typeof side>, b: ReturnType<typeof side>) =>
      verdictText(compareResults(a, b, STANDARD_MARGIN));
    expect(said(side('a', 1, 1, 1), side('b', 2, 0.5, 1))).toBe(
      'Of 3 rows 1 is faster, 1 slower, 1 equivalent: b against a.',
    );
    expect(said(side('a', 1), side('b', 2))).toBe('The one row is slower: b against a.');
    expect(said(side('a', 1), side('b'))).toBe('b and a have no row in common: nothing was compared.');
  });
});

describe('the same run here', () => {
  const software = false;

  it('is the result’s rows by the page’s own settings', () => {
    const same = sameRun(NINE);
    const query = 'query' in same ? same.query : '';
    expect(query).toBe(
      'heads=32&kv-heads=32,8,1&head-dim=128&depth=1024,4096,16384&batch=1&cache-type-k=f16',
    );
    const { run, faults } = readSettings(`?${query}&run`, software);
    expect(faults).toEqual([]);
    expect(
      rowGroups(run)
        .flat()
        .map((params) => ({ ...params, model: '' })),
    ).toEqual(NINE.results.map(({ params }) => ({ ...params, model: '' })));
  });

  it('takes along how it was sampled, and leaves out what a page calls its own choice', () => {
    const changed = {
      ...NINE,
      context: { ...NINE.context, seed: 7, nonStandard: { reps: '3', 'max-time': 'by the number of rows' } },
    };
    expect(sameRun(changed)).toEqual({ query: expect.stringMatching(/&reps=3&seed=7$/) });
  });

  it('is refused for rows that a page would not run alone', () => {
    const [first, second, ...rest] = NINE.results;
    const paged = { ...first!, params: { ...first!.params, pageSize: 16 } };
    for (const results of [
      [paged],
      [first!, ...rest],
      [],
      [first!, { ...second!, params: { ...second!.params, heads: 8 } }],
    ])
      expect(sameRun(result(results))).toHaveProperty('fault');
  });
});

describe('files', () => {
  const file = (name: string, text: string, size = text.length) => ({ name, size, text: async () => text });

  it('that are results of either kind are read; others are named with what they are', async () => {
    const whole = JSON.stringify(wholeResultOf([wholeRow(steady(5))]));
    const { sides, faults } = await readResultFiles([
      file('a.json', JSON.stringify(NINE)),
      file('b.json', '{"a": 1'),
      file('package.json', '{"name": "x"}'),
      file('new.json', JSON.stringify({ ...NINE, schema: 'gqa-bench/2' })),
      file('isa.json', '{"schema": "gqa-isa/1"}'),
      file('odd.json', JSON.stringify({ ...NINE, results: 5 })),
      file('big.json', '', 2 ** 30),
      file('whole.json', whole),
    ]);
    expect(sides.map(({ name }) => name)).toEqual(['a.json', 'whole.json']);
    expect(faults).toEqual([
      'b.json: it is no JSON; expected a result of gqa bench or of this page.',
      'package.json: it is no result of gqa bench or of this page.',
      'new.json: it was written by a newer version (gqa-bench/2); this page reads gqa-bench/1.',
      'isa.json: it is a result of another kind (gqa-isa/1); expected one of gqa bench or of this page.',
      'odd.json: results: expected a list, got 5.',
      'big.json: expected a result, got 1024 MiB.',
    ]);
  });
});

it('says whose a result is, by its label first, and that a software adapter is a CPU', () => {
  const { context } = NINE;
  expect(deviceText(context)).toBe('“desk, RTX 3060” (acme · one · 0x01 · Acme One 1.0)');
  const masked = { vendor: '', architecture: '', device: '', description: '', software: true };
  expect(deviceText({ adapter: { ...context.adapter, ...masked } })).toBe(
    'a device that its browser does not name, a software renderer: a CPU',
  );
  expect(originText(context)).toContain('on 2026-01-02, in chrome 147.0.0.0, by GPU timestamps.');
  expect(originText({ ...context, date: '<img>' })).toContain('on an unknown day');
});
