// runInChrome.node.test.ts: how Node follows a run in a browser, and what it makes of browsers that fail; the browser is a program of the test.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fromText, toText, type ChromeRequest, type Ready } from '../../../bench/chrome/protocol.ts';
import { runInChrome, type ChromeRun } from '../../../bench/chrome/runInChrome.ts';
import type { BenchEvent } from '../../../bench/run/run.ts';
import type { BenchResult } from '../../../bench/schema/schema.ts';
import { GqaError, NoAdapterError } from '../../../src/device/errors.ts';
import { result, row, steady } from '../../support/benchResult.ts';
import { fakeBrowser } from '../../support/fakeBrowser.ts';

const ROWS = [row(32, 512, steady(200)), row(8, 512, steady(100))];
const whole = result(ROWS);
const running = { code: 'running', reason: 'written while the run went on', rows: 2 };
const half = result(ROWS.slice(0, 1), {
  partial: running,
  warnings: [
    { code: 'partial', text: 'partial: 1 of 2 rows; written while the run went on' },
    { code: 'tuning', text: 'kept' },
  ],
});
const progress = { type: 'progress', text: 'round 1', done: 0, total: 1, share: 0.5 };
const soFar = { type: 'soFar', result: half };
const said = (message: object) => `await say(${JSON.stringify(message)});`;

/** It is not looked at here. */
const REQUEST = { seed: 7 } as ChromeRequest;

let profiles: string;
let undo: (() => void)[] = [];

beforeEach(() => {
  profiles = mkdtempSync(join(tmpdir(), 'gqa-profiles-'));
  vi.stubEnv('TMPDIR', profiles);
  for (const name of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES']) vi.stubEnv(name, '');
});

afterEach(() => {
  for (const each of undo) each();
  undo = [];
  vi.unstubAllEnvs();
  rmSync(profiles, { recursive: true });
});

interface Followed {
  readonly events: BenchEvent[];
  readonly result?: BenchResult;
  readonly error?: unknown;
}

/** Runs it in a browser that does this, to its end. Whatever that is, nothing of the browser is left. */
async function follow(
  play: string,
  more: Partial<ChromeRun> & { onEvent?: () => void } = {},
): Promise<Followed> {
  const browser = fakeBrowser(`appendFileSync(process.env.TMPDIR + '/pid', String(process.pid));\n${play}`);
  undo.push(() => browser.remove());
  vi.stubEnv('CHROME_PATH', browser.path);
  const run = {
    folder: import.meta.dirname,
    request: () => REQUEST,
    signal: new AbortController().signal,
    ...more,
  };
  const events: BenchEvent[] = [];
  let outcome: Omit<Followed, 'events'>;
  try {
    const going = runInChrome(run);
    let step = await going.next();
    for (; !step.done; step = await going.next()) {
      events.push(step.value);
      more.onEvent?.();
    }
    outcome = { result: step.value };
  } catch (error) {
    outcome = { error };
  }
  return { events, ...outcome };
}

/** Its profile, and its process if that still runs. */
function leftOver(): string[] {
  const left = readdirSync(profiles).filter((name) => name.startsWith('gqa-chrome-'));
  try {
    process.kill(Number(readFileSync(join(profiles, 'pid'), 'utf8')), 0);
    return [...left, 'process'];
  } catch {
    return left;
  }
}

describe('a run', () => {
  test('gets what it is to do once it is known on what, and comes back whole', async () => {
    let told: Ready | undefined;
    const play = `
      void listen();
      const request = await say(ready);
      ${said(progress)} ${said(soFar)}
      await say({ type: 'done', result: { ...${JSON.stringify(whole)}, request } });`;
    const request = (ready: Ready) => ((told = ready), REQUEST);
    const { events, result: got } = await follow(play, { request });
    expect(told).toMatchObject({ adapterName: 'Acme', runtime: { kind: 'chrome', version: '1.2' } });
    expect(events).toEqual([progress, soFar]);
    expect(got).toEqual({ ...whole, request: '{"seed":7}' });
    expect(leftOver()).toEqual([]);
  });

  test('numbers that JSON does not have travel', () => {
    const value = {
      check: { maxAbsErr: Infinity, bound: -Infinity, notFinite: 'all' },
      list: [Number.NaN, 1, null],
    };
    expect(fromText(toText(value))).toEqual(value);
  });

  test('that an error has cut short comes with its rows', async () => {
    const failed = { type: 'failed', code: 'device-lost', message: 'device lost', result: half };
    const { events, result: got } = await follow(`void listen(); await say(ready); ${said(failed)}`);
    expect(events).toEqual([{ type: 'failed', error: expect.objectContaining({ code: 'device-lost' }) }]);
    expect(got).toEqual(half);
  });

  test('that has nothing to show for itself is an error', async () => {
    const { error } = await follow(
      `void listen(); await say(ready); ${said({ type: 'failed', code: 'limit-exceeded', message: 'too large' })}`,
    );
    expect(error).toEqual(new GqaError('limit-exceeded', 'too large'));
    expect(leftOver()).toEqual([]);
  });
});

describe('Ctrl-C', () => {
  const reason = new GqaError('interrupted', 'interrupted (SIGINT)');

  /** A page that goes on until it is told why not to, and then ends in this way. */
  async function interrupted(last: string): Promise<Followed> {
    const controller = new AbortController();
    const play = `
      const stopped = listen().then((response) => response.text());
      await say(ready);
      ${said(progress)}
      const why = await stopped;
      await say(${last});`;
    return follow(play, { signal: controller.signal, onEvent: () => controller.abort(reason) });
  }

  test('ends the run in the page, whose rows come back', async () => {
    const last = `{ type: 'done', result: { ...${JSON.stringify(half)}, why } }`;
    const { events, result: got } = await interrupted(last);
    expect(events).toEqual([progress]);
    expect(got).toEqual({ ...half, why: reason.message });
    expect(leftOver()).toEqual([]);
  });

  test('before there are any: its own error, and no other of the page', async () => {
    const { error } = await interrupted("{ type: 'failed', code: 'interrupted', message: why }");
    expect(error).toBe(reason);
    const lost = await interrupted("{ type: 'failed', code: 'device-lost', message: 'lost' }");
    expect(lost.error).toMatchObject({ code: 'device-lost', message: 'lost' });
  });

  test('while the browser starts: at once', async () => {
    const { error } = await follow('setTimeout(() => {}, 60_000)', { signal: AbortSignal.abort(reason) });
    expect(error).toBe(reason);
    expect(leftOver()).toEqual([]);
  });
});

describe('a browser', () => {
  test('that crashes leaves the groups that were finished, marked as partial', async () => {
    const play = `void listen(); await say(ready); ${said(soFar)} console.error('FATAL: no memory'); process.exit(9);`;
    const { events, result: got } = await follow(play);
    const message = expect.stringMatching(/browser has ended \(exit code 9\): FATAL: no memory$/);
    expect(events).toEqual([
      soFar,
      { type: 'failed', error: expect.objectContaining({ code: 'browser-ended', message }) },
    ]);
    expect(got!.results).toEqual(half.results);
    expect(got!.context.partial).toEqual({ code: 'browser-ended', reason: message, rows: 2 });
    expect(got!.context.warnings).toEqual([
      { code: 'partial', text: expect.stringMatching(/^partial: 1 of 2 rows; .*FATAL: no memory$/) },
      { code: 'tuning', text: 'kept' },
    ]);
    expect(leftOver()).toEqual([]);
  });

  test('that ends before it has opened the page says its last line', async () => {
    const { error } = await follow("console.error('one\\ncannot open display'); process.exit(1);");
    expect(error).toMatchObject({
      code: 'browser-ended',
      message: expect.stringMatching(/has ended \(exit code 1\): cannot open display$/),
    });
    expect(leftOver()).toEqual([]);
  });

  test('whose page crashes while it runs itself', async () => {
    const { error } = await follow(
      'const end = new AbortController(); await listen({ signal: end.signal }); await say(ready); end.abort();',
    );
    expect(error).toMatchObject({ code: 'page-gone' });
    expect(leftOver()).toEqual([]);
  });

  test.each([
    [{}, 'open chrome://gpu in this browser, which says why'],
    [{ VK_DRIVER_FILES: '/some.json' }, 'unset VK_DRIVER_FILES'],
  ])('without an adapter, in %o: NoAdapterError, with what to do', async (env, hint) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const { error } = await follow(
      `void listen(); ${said({ type: 'failed', code: 'no-adapter', message: 'none' })}`,
    );
    expect(error).toBeInstanceOf(NoAdapterError);
    expect(error).toMatchObject({ problem: 'the browser has no adapter: none', hint });
  });

  test('that is not there', async () => {
    vi.stubEnv('CHROME_PATH', '/nowhere/chrome');
    const going = runInChrome({
      folder: import.meta.dirname,
      request: () => REQUEST,
      signal: new AbortController().signal,
    });
    await expect(going.next()).rejects.toMatchObject({
      name: 'NoAdapterError',
      problem: '/nowhere/chrome does not start: spawn /nowhere/chrome ENOENT',
      hint: 'set CHROME_PATH to a Chromium, Chrome or Edge',
    });
    expect(readdirSync(profiles)).toEqual([]);
  });

  test('with an adapter that is not wanted: the caller says so', async () => {
    const unwanted = new NoAdapterError('a software adapter');
    const request = () => {
      throw unwanted;
    };
    const { error } = await follow('void listen(); await say(ready);', { request });
    expect(error).toBe(unwanted);
    expect(leftOver()).toEqual([]);
  });
});

test('nobody else is answered', async () => {
  const play = `
    void listen();
    const other = (path) => fetch(new URL(path, address), { method: 'POST', body: '{}' }).then(({ status }) => status);
    const answers = [await other('/run/wrong/say'), await other('/run//say'), await other('/say')];
    await say({ type: 'failed', code: 'unexpected', message: answers.join() });`;
  expect((await follow(play)).error).toMatchObject({ message: '405,405,405' });
});
