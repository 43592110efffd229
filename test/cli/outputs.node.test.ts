// outputs.node.test.ts: what commands write and where: files of every kind, full disks, closed pipes. As processes.
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BenchResult } from '../../bench/schema/schema.ts';
import { SafetensorsFile, writeSafetensors } from '../../src/checkpoint/format/file.ts';
import { gqaMain } from '../support/gqaMain.ts';
import { shell } from '../support/shell.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-outputs-'));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = undefined;
});

const at = (name: string) => join(folder, name);

const FULL = 'error: stdout could not be written: ENOSPC: no space left on device, write\n';

describe('stdout', () => {
  test.each(['gqa kv --list', 'gqa --help', 'gqa kv llama-3.1-8b -d 1-1000 -o json'])(
    '%s > /dev/full: one line, exit code 1',
    async (line) => {
      expect(await shell(`${line} > /dev/full`)).toEqual({ out: '', err: FULL, code: 1 });
    },
  );

  test('a file that the disk holds only in part: exit code 1, however few writes there were', async () => {
    const limited = `trap '' XFSZ; ulimit -f 1; gqa kv --list > "${at('list')}" 2> "${at('err')}"`;
    expect((await shell(limited)).code).toBe(1);
    expect(readFileSync(at('err'), 'utf8')).toBe(
      'error: stdout could not be written: EFBIG: file too large, write\n',
    );
    expect((await shell(`gqa kv --list > "${at('list')}"`)).code).toBe(0);
    expect(readFileSync(at('list'), 'utf8')).toBe((await gqaMain('kv', '--list')).out);
  });

  test('stderr that takes nothing changes nothing', async () => {
    expect((await shell('gqa kv --list 2> /dev/full')).code).toBe(0);
    expect((await shell('gqa kv nope 2> /dev/full')).code).toBe(1);
  });
});

const BENCH = 'gqa bench --heads 8 --kv-heads 1 --head-dim 16 -d 64 -r 1';

describe('gqa bench --export-json', () => {
  test('/proc/self/fd/1 prints it', async () => {
    const { out, code } = await shell(`${BENCH} -o csv --export-json /proc/self/fd/1 | cat`);
    const [head, row, ...json] = out.split('\n');
    expect([head!.split(',')[0], row!.split(',')[0], code]).toEqual(['id', 'h8_kv1_d16_t64_f16', 0]);
    expect((JSON.parse(json.join('\n')) as BenchResult).results).toHaveLength(1);
  });

  test('/dev/stdout, where that is a file: it has one offset, so that neither writes over the other', async () => {
    const line = `${BENCH} -o csv --export-json /dev/stdout > "${at('both')}"`;
    expect((await shell(line)).code).toBe(0);
    expect(readFileSync(at('both'), 'utf8').split('\n').slice(0, 3).join()).toMatch(/^id,.*,h8_.*,\{$/s);
  });

  test('/dev/full: the table, then an error and exit code 1, and the device stays one', async () => {
    const { out, err, code } = await gqaMain(...BENCH.split(' ').slice(1), '--export-json', '/dev/full');
    expect(out).toContain('| custom');
    expect(err.split('\n').at(-2)).toBe(
      'error: --export-json "/dev/full": ENOSPC: no space left on device, write',
    );
    expect(code).toBe(1);
    expect(lstatSync('/dev/full').isCharacterDevice()).toBe(true);
  });

  test('through a link, over several groups of rows: only the whole result stays, in the target', async () => {
    writeFileSync(at('old.json'), 'old');
    symlinkSync('old.json', at('link.json'));
    const args = [...BENCH.split(' ').slice(1), '-d', '64,96', '--export-json', at('link.json')];
    expect((await gqaMain(...args)).code).toBeUndefined();
    const { results, context } = JSON.parse(readFileSync(at('old.json'), 'utf8')) as BenchResult;
    expect(results).toHaveLength(2);
    expect(context).not.toHaveProperty('partial');
    expect(lstatSync(at('link.json')).isSymbolicLink()).toBe(true);
    expect(readdirSync(folder).toSorted()).toEqual(['link.json', 'old.json']);
  });

  test('a FIFO of several groups gets one result, the whole one', async () => {
    execFileSync('mkfifo', [at('fifo')]);
    const line = `cat "${at('fifo')}" & ${BENCH} -d 64,96 -o csv --export-json "${at('fifo')}" > "${at('csv')}"; code=$?; wait; exit $code`;
    const { out, code } = await shell(line);
    expect((JSON.parse(out) as BenchResult).results).toHaveLength(2);
    expect([code, lstatSync(at('fifo')).isFIFO()]).toEqual([0, true]);
  });
});

describe('refused before any work', () => {
  test.each([
    [['bench', '--export-json', '']],
    [['attend', 'in.safetensors', '--out', '']],
    [['convert', 'model', '--kv-heads', '2', '--report', '--plot', '']],
    [['convert', 'model', '--kv-heads', '2', '--report', '--export-json', '']],
  ])('%j', async (args) => {
    const { out, err, code } = await gqaMain(...args);
    expect(err).toContain('expected a file, got an empty name');
    expect([out, code]).toEqual(['', 1]);
  });

  test.each([
    ['bench', '--export-json', 'file'],
    ['attend', '--out', 'file'],
    ['convert', '--plot', 'file'],
    ['convert', '--export-json', 'file'],
    ['convert', '--out', 'folder'],
  ])('gqa %s %s, given twice', async (command, option, kind) => {
    const { out, err, code } = await gqaMain(command, option, at('a'), option, at('b'));
    expect(err).toContain(`argument '${at('b')}' is invalid. expected one ${kind}, got "${at('a')}" before.`);
    expect([out, code, readdirSync(folder)]).toEqual(['', 1, []]);
  });

  test('a last-level cache that is no number', async () => {
    vi.stubEnv('GQA_LLC_MIB', '32k');
    const { err, code } = await gqaMain(...BENCH.split(' ').slice(1));
    expect(err).toContain(
      'error: GQA_LLC_MIB: expected a positive whole number of MiB below a million, got "32k"\n',
    );
    expect(code).toBe(1);
  });
});

test('gqa attend --out /dev/stdout: the tensors alone', async () => {
  const data = new Float32Array(64).fill(0.5);
  const tensor = (name: string) => ({ name, dtype: 'F32', shape: [1, 1, 1, 64], data }) as const;
  await writeSafetensors(at('in'), [tensor('q'), tensor('k'), tensor('v')]);
  const { out, err, code } = await shell(`gqa attend "${at('in')}" --out /dev/stdout | cat > "${at('out')}"`);
  expect([out, code]).toEqual(['', 0]);
  expect(err).toMatch(/^q \[1, 1, 1, 64\], .*o and lse are in \/dev\/stdout$/m);
  const file = await SafetensorsFile.open(at('out'));
  expect((await file.readFloat32('o')).data).toEqual(data);
  await file.close();
});
