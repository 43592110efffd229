// interrupt.node.test.ts: Ctrl-C in commands that take their time: what is finished is kept, marked, and printed.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BenchResult } from '../../bench/schema/schema.ts';
import { interruptible, InterruptedError, leaving } from '../../src/node/command/interrupt.ts';
import { builtGqa } from '../support/builtGqa.ts';
import { CHECKPOINTS, writeCheckpoint } from '../support/checkpoints.ts';
import { gqaMain } from '../support/gqaMain.ts';
import { interruptAt, interruptNow } from '../support/interruptAt.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-interrupt-'));
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = undefined;
});

const listeners = () => [process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')];

describe('interruptible', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    '%s aborts once and says so; nobody listens to a second one; exit code %i',
    async (name, code) => {
      const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
      const before = listeners();
      const kept = await interruptible('all is kept', async (signal) => {
        expect(listeners()).toEqual(before.map((n) => n + 1));
        interruptNow(name);
        expect(listeners()).toEqual(before);
        expect(signal.reason).toBeInstanceOf(InterruptedError);
        return 'kept';
      });
      expect(kept).toBe('kept');
      expect(said.mock.calls.map(([text]) => String(text).trim())).toEqual([
        `${name}: all is kept (once more ends at once)`,
      ]);
      expect(process.exitCode).toBe(code);
    },
  );

  test('work that nobody interrupts leaves no listener and no exit code, also when it fails', async () => {
    const before = listeners();
    await interruptible('', () => Promise.resolve());
    await expect(interruptible('', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(listeners()).toEqual(before);
    expect(process.exitCode).toBeUndefined();
  });

  test('leaving: says what is left, and ends as if nobody listened', async () => {
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    const before = listeners();
    await leaving('half is done', async () => interruptNow('SIGTERM'));
    expect(kill).toHaveBeenCalledExactlyOnceWith(process.pid, 'SIGTERM');
    expect(listeners()).toEqual(before);
  });
});

const SMALL = ['bench', '--heads', '8', '--kv-heads', '8,1', '--head-dim', '16', '-d', '64,96', '-r', '3'];

describe('gqa bench', () => {
  test.each([
    ['md', /^warning {2}partial: 2 of 4 rows; interrupted \(SIGINT\) {2}$/m],
    ['csv', /^(?:h8_kv[81]_d16_t64_f16,.*\n){2}$/m],
  ])('as %s prints the finished rows, and exports them as partial', async (format, printed) => {
    const file = join(folder, 'run.json');
    interruptAt('preparing mqa @ d96');
    const { out, code } = await gqaMain(...SMALL, '-o', format, '--export-json', file);
    expect(code).toBe(130);
    expect(out).toMatch(printed);
    expect(out).not.toContain('t96');
    expect(out.match(/^id,/gm) ?? []).toHaveLength(format === 'csv' ? 1 : 0);
    const { context, results } = JSON.parse(readFileSync(file, 'utf8')) as BenchResult;
    expect(context.partial).toEqual({ code: 'interrupted', reason: 'interrupted (SIGINT)', rows: 4 });
    expect(results.map(({ id }) => id)).toEqual(['h8_kv8_d16_t64_f16', 'h8_kv1_d16_t64_f16']);
    const { out: compared } = await gqaMain('compare', file, file);
    expect(compared).toContain('warning  A and B: partial: 2 of 4 rows; interrupted (SIGINT)');
    expect(readdirSync(folder)).toEqual(['run.json']);
  });

  test('before anything is finished: the exit code of the signal, no table, no file', async () => {
    interruptAt('preparing mqa @ d64', 'SIGTERM');
    const { out, err, code } = await gqaMain(...SMALL, '--export-json', join(folder, 'run.json'));
    expect([out, code]).toEqual(['', 143]);
    expect(err).toContain('error: interrupted (SIGTERM)\n');
    expect(readdirSync(folder)).toEqual([]);
  });

  test(
    'as a process: rows come out while it runs, a signal ends it with what is there',
    { timeout: 120_000 },
    async () => {
      const file = join(folder, 'run.json');
      const depths = ['-d', '64,96,128,160,192,224,256'];
      const args = [await builtGqa(), ...SMALL, ...depths, '-o', 'jsonl', '--export-json', file];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
      let out = '';
      child.stderr.resume();
      child.stdout.on('data', (data: Buffer) => {
        if (out === '') child.kill('SIGINT');
        out += data.toString();
      });
      const code = await new Promise((resolve) => child.on('close', resolve));
      expect(code).toBe(130);
      const printed = out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { id: string }).id);
      const { context, results } = JSON.parse(readFileSync(file, 'utf8')) as BenchResult;
      expect(printed).toEqual(results.map(({ id }) => id));
      expect(context.partial).toMatchObject({ code: 'interrupted', rows: 14 });
      expect(results.length).toBeLessThan(14);
    },
  );
});

test('gqa check: the results so far, as partial', async () => {
  interruptAt('3 of ');
  const { out, code } = await gqaMain('check', '--case', 'h8_kv4_d64_t257_f16', '--kernel', 'plain,tiles');
  expect(code).toBe(130);
  expect(out).toMatch(/^PARTIAL: 2 of \d+ runs; interrupted \(SIGINT\)$/m);
  expect(out).toMatch(/^no verdict: \d+ runs left out; 2 runs of /m);
  expect(out).not.toMatch(/^ok/m);
});

test('gqa convert --report: the modules so far, as partial, and no conversion after it', async () => {
  const source = await writeCheckpoint(join(folder, 'source'), CHECKPOINTS.llama!, {});
  const [out, json] = [join(folder, 'out'), join(folder, 'report.json')];
  interruptAt('report: ');
  const args = ['--kv-heads', '2', '--report', '--out', out, '--export-json', json];
  const ended = await gqaMain('convert', source, ...args);
  expect(ended.code).toBe(130);
  expect(ended.out).toContain('PARTIAL: 1 of 2 modules; interrupted (SIGINT)');
  expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({ partial: { modules: 2 }, modules: [{}] });
  expect(readdirSync(folder).toSorted()).toEqual(['report.json', 'source']);
});
