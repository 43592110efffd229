// run.test.ts: a comparison of invented engines: who gets a time, who an error, and that nobody keeps the others from going on.
import { expect, test } from 'vitest';
import type { Contestant, EngineName } from '../../../bench/peers/contestants.ts';
import { openEntries, type Entry } from '../../../bench/peers/entries.ts';
import type { AttentionHost } from '../../../bench/peers/host.ts';
import { attentionLoad } from '../../../bench/peers/peerWorkload.ts';
import { comparePeers } from '../../../bench/peers/run.ts';
import type { PeerRow } from '../../../bench/schema/peerSchema.ts';
import { fakeHost, onAdapter, type Fake } from './fakeHost.ts';

const SHAPE = { heads: 2, kvHeads: 1, headDim: 64, depth: 9, type: 'f32' } as const;
const OPTIONS = { seed: 1, reps: 3, maxTimeMs: 1000 };
const ROTATION = { seed: 1, coldBytes: 20_000, mostBytes: 1e9 };
const LOAD = attentionLoad(SHAPE, ROTATION);

async function compare(fakes: Readonly<Partial<Record<EngineName, Fake>>>): Promise<Map<string, PeerRow>> {
  const host = fakeHost(fakes);
  const entries = Object.keys(fakes).map(
    (engine) => ({ engine: engine as EngineName, place: 'node', host }) as const,
  );
  const rows = new Map<string, PeerRow>();
  for await (const event of comparePeers(entries, [LOAD], OPTIONS)) {
    if (event.type === 'row') rows.set(event.row.engine, event.row);
  }
  return rows;
}

test('a right engine has samples, both checks and what it rotated over', async () => {
  const fake: Fake = { stepNs: 5e8 };
  const row = (await compare({ ours: fake })).get('ours')!;
  expect(row).toMatchObject({
    id: 'h2_kv1_d64_t9_f32',
    place: 'node',
    step: 'a step',
    bytes: { kvRead: 2 * 9 * 64 * 4 },
    copies: 5,
    workingSetBytes: 5 * 2 * 9 * 64 * 4,
    cold: true,
    check: { before: { pass: true }, after: { pass: true } },
    time: { samplesNs: [5e8, 5e8, 5e8], median: 5e8, ci95: null, stepsPerSample: 1, stop: 'reps' },
  });
  expect(row.error).toBeUndefined();
  expect(fake.log).toEqual(['bound', 'released']);
});

test('steps of a sample grow until it spans 0.1 s', async () => {
  const row = (await compare({ ours: { stepNs: 1e6 } })).get('ours')!;
  expect(row.time!.stepsPerSample).toBeGreaterThanOrEqual(100);
  expect(row.time!.stepsPerSample).toBeLessThan(200);
  expect(row.time!.median).toBeCloseTo(1e6);
});

test('wrong engines have an error and no time; the others go on', async () => {
  const fakes = {
    ours: {},
    plain: { right: () => false },
    'jax-js': { right: (samples: number) => samples < 3 },
  } satisfies Record<string, Fake>;
  const rows = await compare(fakes);
  expect(rows.get('ours')!.time).not.toBeNull();
  expect(rows.get('plain')).toMatchObject({ time: null, check: { before: { pass: false }, after: null } });
  expect(rows.get('plain')!.error).toMatch(/^wrong result before timing: error 1\.0\de\+0, bound \d/);
  expect(rows.get('jax-js')).toMatchObject({
    time: null,
    check: { before: { pass: true }, after: { pass: false } },
  });
  expect(rows.get('jax-js')!.error).toMatch(/^wrong result after timing: error 1/);
  for (const fake of Object.values<Fake>(fakes)) expect(fake.log).toEqual(['bound', 'released']);
});

test('an engine that fails while it is sampled leaves, the others take all their samples', async () => {
  const failing: Fake = {
    onSample(samples) {
      if (samples === 2) throw new Error('device lost\nstack');
    },
  };
  const rows = await compare({ ours: {}, 'ort-web': failing, plain: {} });
  expect(rows.get('ort-web')).toMatchObject({ time: null, error: 'device lost', step: 'a step' });
  expect(rows.get('ours')!.time!.samplesNs).toHaveLength(3);
  expect(rows.get('plain')!.time!.samplesNs).toHaveLength(3);
  expect(failing.log).toEqual(['bound', 'released']);
});

test('an abort ends it after the round under way, with the rows of its shape', async () => {
  const stop = new AbortController();
  const host = fakeHost({
    ours: { onSample: (samples) => samples === 2 && stop.abort(new Error('enough')) },
  });
  const loads = [LOAD, attentionLoad({ ...SHAPE, depth: 10 }, ROTATION)];
  const options = { ...OPTIONS, signal: stop.signal };
  const rows: PeerRow[] = [];
  const compared = async () => {
    for await (const event of comparePeers([{ engine: 'ours', place: 'node', host }], loads, options))
      if (event.type === 'row') rows.push(event.row);
  };
  await expect(compared()).rejects.toThrow('enough');
  expect(rows.map(({ params, time }) => [params.depth, time?.stop])).toEqual([[9, 'interrupted']]);
  expect(rows[0]!.time!.samplesNs.length).toBeLessThan(OPTIONS.reps);
});

test('an engine that is not there has its error in every row', async () => {
  const entries: Entry<AttentionHost>[] = [{ engine: 'jax-js', place: 'node', error: 'not installed' }];
  const rows: PeerRow[] = [];
  for await (const event of comparePeers(entries, [LOAD, LOAD], OPTIONS)) {
    if (event.type === 'row') rows.push(event.row);
  }
  expect(rows).toHaveLength(2);
  for (const row of rows)
    expect(row).toMatchObject({ engine: 'jax-js', error: 'not installed', time: null, check: null });
});

test('engines that fail to open, or open on another adapter, become errors; the CPU has no adapter', async () => {
  const host = fakeHost({
    ours: {},
    plain: { failsToOpen: true },
    'ort-web': { adapter: 'two' },
    'ort-cpu': { adapter: 'cpu' },
    'jax-js': {},
  });
  const names: readonly EngineName[] = ['ort-cpu', 'ours', 'plain', 'ort-web', 'jax-js'];
  const contestants = names.map((engine): Contestant => ({ engine, place: 'node' }));
  const { entries, places } = await openEntries(contestants.map((each) => ({ ...each, host })));
  expect(entries.map((entry) => ('error' in entry ? entry.error : 'open'))).toEqual([
    'open',
    'open',
    'no such engine',
    'expected the adapter of the others, acme   one, got acme   two',
    'open',
  ]);
  expect(places).toEqual([{ name: 'node', runtime: host.runtime, ...onAdapter('one'), ceiling: null }]);
});
