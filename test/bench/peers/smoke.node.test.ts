// smoke.node.test.ts: the whole comparison on a tiny shape, with every contestant whose package is installed.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { attends, CONTESTANTS, contestantName, type Contestant } from '../../../bench/peers/contestants.ts';
import { peerVersion } from '../../../bench/peers/context.ts';
import type { PeerResult } from '../../../bench/schema/peerSchema.ts';
import { parsePeerResult } from '../../../bench/schema/readResult.ts';

const START = fileURLToPath(new URL('../../../bench/peers/start.mjs', import.meta.url));
const TINY = ['--heads', '4', '--kv-heads', '2', '--head-dim', '64', '--depth', '256', '--types', 'f32'];
const OPTIONS = ['--reps', '2', '--max-time', '5', '-o', 'json'];

/** Whether there is a browser to drive: a machine for the node tests alone need not have one. */
const browser = await import('../../../src/node/chromium.ts')
  .then(async ({ findChromium }) => [await findChromium(), await import('playwright-core')])
  .catch(() => undefined);

const TAKING_PART = CONTESTANTS.filter(
  (contestant) => attends(contestant) && (contestant.place === 'node' || browser),
);

const absent = ({ package: name }: Contestant) => name !== undefined && peerVersion(name) === undefined;

// In a process of its own: it makes Node look like a browser. onnxruntime-web takes Node 20 a minute to compile.
const TIME_LIMIT = 300_000;

let result: PeerResult;

beforeAll(async () => {
  const places = [...new Set(TAKING_PART.map(({ place }) => place))].join(',');
  const args = [START, '--no-install', '--contestants', places, ...TINY, ...OPTIONS];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 });
  result = parsePeerResult(stdout, 'stdout');
}, TIME_LIMIT);

test('has a row for every contestant, and says where and with what it ran', () => {
  expect(result.schema).toBe('gqa-peers/1');
  expect(result.results.map((row) => `${row.engine}@${row.place}`)).toEqual(TAKING_PART.map(contestantName));
  expect(result.context.places.map(({ name }) => name)).toEqual(browser ? ['node', 'chromium'] : ['node']);
  for (const { adapter } of result.context.places) expect(adapter).not.toBeNull();
  for (const [name, version] of Object.entries(result.context.packages))
    expect(version).toBe(peerVersion(name));
});

describe.each(TAKING_PART)('$engine@$place', (contestant) => {
  const rowOf = () =>
    result.results.find((row) => contestantName(row as Contestant) === contestantName(contestant))!;

  test.skipIf(absent(contestant))('is installed: right before and after it is timed', () => {
    const row = rowOf();
    expect(row.error).toBeUndefined();
    expect(row.check).toMatchObject({ before: { pass: true }, after: { pass: true } });
    expect(row.time!.samplesNs).toHaveLength(2);
    expect(row.step).not.toBe('');
  });

  if (!contestant.package) return;

  test.runIf(absent(contestant))('is not installed: says so', () => {
    expect(rowOf()).toMatchObject({ time: null, check: null });
    expect(rowOf().error).toBe(`${contestant.package} is not installed in bench/peers`);
  });
});
