// options.node.test.ts: what `npm run bench:isa` takes, and what it says where it cannot run.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { caseOf, casesOf, caseId } from '../../../bench/isa/cases.ts';
import { nonStandard, parseFlags } from '../../../bench/isa/options.ts';
import { debianRoot } from '../../../bench/isa/tools/debian.ts';
import { checkMachine, runProgram } from '../../../bench/isa/tools/programs.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-isa-test-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

describe('options', () => {
  test('the standard run: ten families, nine shapes, five types, one and four positions, two kernels', () => {
    const flags = parseFlags([]);
    expect(flags.families).toHaveLength(10);
    const ids = casesOf(flags).map(caseId);
    expect(ids.map(caseOf)).toEqual(casesOf(flags));
    expect(() => caseOf('h32_kv8')).toThrow('expected a name as h32_kv8_d128_q1_f16, got "h32_kv8"');
    expect(ids).toHaveLength(9 * 5 * 2 * 2);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(['h32_kv8_d128_q1_f16', 'h71_kv1_d64_q4_int4_tiles']));
    expect(nonStandard(flags)).toEqual({});
  });

  test('a part of it says which', () => {
    const flags = parseFlags([
      '-f',
      'tgl,ampere',
      '--shapes',
      '32/8/128',
      '--types',
      'f16',
      '--q-lens',
      '1-3',
    ]);
    expect(nonStandard(flags)).toEqual({
      families: 'tgl,ampere',
      shapes: '32/8/128',
      types: 'f16',
      'q-lens': '1,2,3',
    });
    expect(casesOf(flags)).toHaveLength(6);
  });

  test.each([
    [['-f', 'voodoo'], 'expected navi31, navi21'],
    [['--shapes', '32/5/128'], 'expected heads/KV heads/head dim'],
    [['--shapes', '32/8'], 'expected heads/KV heads/head dim'],
    [['--shapes', '32/8/128/1'], 'expected heads/KV heads/head dim'],
    [['--types', 'f8'], 'expected f32, f16'],
    [['--q-lens', '32769'], 'expected a whole number from 1 to 32768'],
    [['--kernels', 'plain'], 'expected auto, tiles'],
  ])('%j is refused', (args, says) => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect(() => parseFlags(args)).toThrow();
    expect(said.mock.calls.join('')).toContain(says);
  });
});

describe('a machine that cannot', () => {
  test.each([
    ['darwin', 'arm64'],
    ['win32', 'x64'],
    ['linux', 'arm64'],
  ])('%s on %s', (platform, arch) => {
    expect(() => checkMachine({ platform, arch, path: process.env.PATH! })).toThrow(
      `it runs on Debian and its relatives alone, on x86-64; this is ${platform}-${arch}`,
    );
  });

  test('one without apt is told so, and not to install it by apt', () => {
    expect(() => checkMachine({ platform: 'linux', arch: 'x64', path: folder })).toThrow(
      /this machine lacks apt-get, dpkg, gcc, g\+\+, python3$/,
    );
  });

  test('one without a compiler is told which packages bring it', () => {
    for (const name of ['apt-get', 'dpkg', 'python3']) fakeProgram(name, 'exit 0');
    expect(() => checkMachine({ platform: 'linux', arch: 'x64', path: folder })).toThrow(
      'this machine lacks gcc, g++: apt-get install gcc g++',
    );
  });

  test('a mirror that does not answer leaves nothing that looks whole', () => {
    fakeProgram('apt-get', 'echo "E: Failed to fetch $1" >&2; exit 100');
    vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
    const cache = join(folder, 'cache');
    const notes: string[] = [];
    const fetch = () => debianRoot(cache, 'http://mirror.invalid', (line) => notes.push(line));
    expect(fetch).toThrow(/apt-get .* failed: exit code 100\n.*E: Failed to fetch|no keys of Debian/s);
    expect(existsSync(join(cache, 'trixie'))).toBe(false);
    expect(fetch).toThrow(); // it begins anew
    expect(notes).toHaveLength(2);
  });
});

test('a program that fails is told with the last that it said', () => {
  fakeProgram('noisy', 'for i in $(seq 1 50); do echo "line $i"; done; exit 3');
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
  expect(() => runProgram('noisy', ['build'])).toThrow(
    /^noisy build failed: exit code 3\nline 39\n[^]*line 50$/,
  );
  expect(() => runProgram('absent-program', [])).toThrow('ENOENT');
});

test('the layer: every answer that is declared is a call of Vulkan', () => {
  const read = (name: string) =>
    readFileSync(new URL(`../../../bench/isa/layer/${name}`, import.meta.url), 'utf8');
  const names = ['layer.c', 'absence.c', 'pipelines.c'].flatMap((file) =>
    Array.from(read(file).matchAll(/ANSWER\("(\w+)"/g), ([, name]) => name!),
  );
  expect(names.length).toBeGreaterThan(30);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^vk[A-Z]\w+$/.test(name))).toEqual([]);
});

function fakeProgram(name: string, body: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}
