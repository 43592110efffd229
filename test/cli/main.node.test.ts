// main.node.test.ts: the `gqa` command as a whole: names, errors and exit codes, and the process that it runs in.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import packageJson from '../../package.json';
import { writeSafetensors } from '../../src/checkpoint/format/file.ts';
import { main } from '../../cli/main.ts';
import { gqaMain } from '../support/gqaMain.ts';
import { shell } from '../support/shell.ts';

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

describe('names', () => {
  test('--version is that of the package', async () => {
    expect(await gqaMain('--version')).toEqual({ out: `${packageJson.version}\n`, err: '', code: 0 });
  });

  test('--help names every command and the exit codes', async () => {
    const { out, code } = await gqaMain('--help');
    for (const name of ['bench', 'check', 'attend', 'kv', 'convert', 'doctor', 'completion']) {
      expect(out).toMatch(new RegExp(`^  ${name} [[<]`, 'm'));
    }
    expect(out).toContain('gqa attend in.safetensors --out o.safetensors');
    expect(out).toContain('3 no usable adapter');
    expect(code).toBe(0);
    expect((await gqaMain('help', 'kv')).out).toContain('Usage: gqa kv [options] [model]');
    for (const args of [['help'], ['help', 'help'], ['-h']])
      expect(await gqaMain(...args)).toMatchObject({ out, err: '', code: 0 });
  });

  test('without a command it is bench', async () => {
    const { err, code } = await gqaMain('--max-time', 'long');
    expect(err).toContain("option '--max-time <s>' argument 'long' is invalid");
    expect(code).toBe(1);
  });

  test('-ctk and -ctv are --cache-type-k and --cache-type-v', async () => {
    const { out, code } = await gqaMain('kv', 'llama-3.1-8b', '-ctk', 'f32', '-ctv=f16');
    expect(out).toContain('· K f32, V f16 ·');
    expect(code).toBeUndefined();
    expect((await gqaMain('kv', 'llama-3.1-8b', '-ctx', 'f32')).err).toContain("unknown option '-ctx'");
  });
});

describe('errors', () => {
  test.each([
    [['chekc'], "error: unknown command 'chekc'\n(Did you mean check?)\n(gqa --help lists the commands)\n"],
    [['frobnicate'], "error: unknown command 'frobnicate'\n(gqa --help lists the commands)\n"],
    [
      ['help', 'bnech'],
      "error: unknown command 'bnech'\n(Did you mean bench?)\n(gqa --help lists the commands)\n",
    ],
    [['kv', 'gpt-2', '--dept', '3'], "error: unknown option '--dept'\n(Did you mean --depth?)\n"],
    [['--bogus'], "error: unknown option '--bogus'\n"],
    [['attend'], "error: required option '--out <file>' not specified\n"],
    [
      ['attend', '/no/such/file', '-o', 'out.safetensors'],
      "error: option '-o, --output <file>' argument 'out.safetensors' is invalid. -o is the format of a report; expected --out out.safetensors for the file.\n",
    ],
    [
      ['attend', '/no/such/file', '--out', '/dev/null/out'],
      'error: --out "/dev/null/out": "/dev/null" is no folder\n',
    ],
  ])('%j: exit code 1', async (args, message) => {
    expect(await gqaMain(...args)).toEqual({ out: '', err: message, code: 1 });
  });

  test('no adapter: exit code 3, and what mends it', async () => {
    const { out, err, code } = await gqaMain('check', '--adapter', 'no such card');
    expect(err).toMatch(/^error: nodeGpu: .*"no such card".*\nFix: .+\n$/);
    expect([out, code]).toEqual(['', 3]);
  });

  test('an error that nobody foresaw: exit code 1, with its stack', async () => {
    let err = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += String(text)), true));
    vi.spyOn(process.stdout, 'write').mockImplementation(() => {
      throw new TypeError('out of paper');
    });
    await main(['kv', 'gpt-2']);
    expect(err).toMatch(/^TypeError: out of paper\n +at /);
    expect(process.exitCode).toBe(1);
  });
});

describe('the process', () => {
  test.each([
    ['of the package', undefined],
    ['of a clone', fileURLToPath(new URL('../../bin/gqa.mjs', import.meta.url))],
  ])('%s ends by itself with the exit code, results on stdout, errors on stderr', async (_, bin) => {
    expect(await shell('gqa kv nope', bin)).toMatchObject({
      out: '',
      err: expect.stringMatching(/^error: no preset.+\n$/),
      code: 1,
    });
    const { out, code } = await shell('gqa kv --list -o json', bin);
    expect(JSON.parse(out)).toHaveLength(56);
    expect(code).toBe(0);
  });

  test('a pipe that closes early ends it quietly', async () => {
    // Far more than a pipe holds, so that a write meets the closed end.
    const { out, err, code } = await shell('gqa kv llama-3.1-8b -d 1-1000 -o json | head -n 1');
    expect({ out, err, code }).toEqual({ out: '{\n', err: '', code: 0 });
  });

  test('it ends by itself after work on a device', { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gqa-main-'));
    const [input, output] = [join(folder, 'in.safetensors'), join(folder, 'out.safetensors')];
    const data = new Float32Array(64).fill(0.5);
    const tensor = (name: string) => ({ name, dtype: 'F32', shape: [1, 1, 1, 64], data }) as const;
    try {
      await writeSafetensors(input, [tensor('q'), tensor('k'), tensor('v')]);
      const { out, code } = await shell(`gqa attend "${input}" --out "${output}"`);
      expect(out).toMatch(/^q \[1, 1, 1, 64\], .*o and lse are in .+\n$/);
      expect(code).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
