// terminal.node.test.ts: what the command leaves on a real terminal, and in a log, with its progress gone. As processes.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CLEAR_LINE } from '../../src/node/command/terminalLine.ts';
import { builtGqa } from '../support/builtGqa.ts';
import { CHECKPOINTS, writeCheckpoint } from '../support/checkpoints.ts';
import { screen } from '../support/screen.ts';
import { shell } from '../support/shell.ts';

/** `script` of util-linux, which runs a command on a terminal of its own. */
const hasScript = String(spawnSync('script', ['--version']).stdout).includes('util-linux');

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-terminal-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a shell line of `gqa` on a terminal of so many columns. Types Ctrl-C when it has written the text, if there is one. */
async function onTerminal(line: string, columns: number, interruptAt?: string): Promise<string> {
  const command = `stty cols ${columns}; gqa() { '${process.execPath}' '${await builtGqa()}' "$@"; }; ${line}`;
  const env = { ...process.env, TERM: 'xterm', CI: '', SHELL: '/bin/bash' };
  const child = spawn('script', ['-qec', command, '/dev/null'], { env });
  let written = '';
  let typed = false;
  child.stdout.on('data', (data: Buffer) => {
    written += data.toString();
    if (typed || interruptAt === undefined || !written.includes(interruptAt)) return;
    typed = true;
    child.stdin.write('\x03');
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve(written));
  });
}

/** Whether such a line stood on the terminal. */
function drawn(written: string, line: RegExp): boolean {
  return written.split(CLEAR_LINE).some((text) => line.test(text));
}

const BENCH = 'gqa bench --heads 8 --head-dim 16 --kv-heads 1 -d 64';

/** What only progress says. */
const PROGRESS = /preparing|measuring|round \d| left, |report: |safetensors: /;

describe.skipIf(!hasScript)('on a terminal (of script, by util-linux)', () => {
  test(
    'bench: progress is cut to its width, and rows begin on clean lines',
    { timeout: 120_000 },
    async () => {
      const written = await onTerminal(`${BENCH},96 -r 3 -o csv`, 40);
      expect(written.split(CLEAR_LINE)).toContain('0 %, preparing mqa @ d64');
      expect(drawn(written, /^\d+ %.*, preparing mqa @ d96/)).toBe(true);
      const rows = screen(written, 40);
      expect(rows.filter((row) => PROGRESS.test(row))).toEqual([]);
      const lines = screen(written, 1000);
      expect(lines.filter((line) => /^(id,|h8_kv1_d16_t(64|96)_f16,)/.test(line))).toHaveLength(3);
      expect(lines.filter((line) => /.(id,|h8_kv1_d16_t)/.test(line))).toEqual([]);
    },
  );

  test('Ctrl-C: a line of its own says so, then the table', { timeout: 120_000 }, async () => {
    const written = await onTerminal(`${BENCH} --max-time 60 -r 100000`, 100, 'round 2');
    const rows = screen(written, 100);
    expect(rows).toContain('SIGINT: ending the run, finished rows are kept (once more ends at once)');
    expect(rows.filter((row) => PROGRESS.test(row) || row.includes('^C'))).toEqual([]);
    expect(rows.some((row) => row.startsWith('gqa-webgpu '))).toBe(true);
  });

  test(
    'convert: report and result begin on clean lines, also through a pipe',
    { timeout: 120_000 },
    async () => {
      const source = await writeCheckpoint(join(folder, 'source'), CHECKPOINTS.llama!, {});
      const convert = `gqa convert ${source} --kv-heads 2`;
      const out = join(folder, 'out');
      const written = await onTerminal(`${convert} --report | tee /dev/null; ${convert} --out ${out}`, 60);
      expect(drawn(written, /^0 %, report: \S+ \(1 of 2\)/)).toBe(true);
      expect(drawn(written, /^\d+ %, model\.safetensors: /)).toBe(true);
      const rows = screen(written, 60);
      expect(rows.filter((row) => PROGRESS.test(row))).toEqual([]);
      for (const begin of ['source   llama', 'heads    4 query'])
        expect(rows.some((row) => row.startsWith(begin))).toBe(true);
    },
  );

  test.each(['TERM=dumb', 'CI=true'])('%s: whole lines', { timeout: 120_000 }, async (setting) => {
    const source = await writeCheckpoint(join(folder, 'source'), CHECKPOINTS.llama!, {});
    const written = await onTerminal(
      `${setting} gqa convert ${source} --kv-heads 2 --out ${join(folder, 'out')}`,
      60,
    );
    expect(written.replaceAll('\r\n', '\n')).not.toMatch(/\p{Cc}(?<!\n)/u);
    expect(written).toContain('\n100 %, done\r\n');
  });
});

test('in a log: bench says what it does and ends at 100 %, and stdout has none of it', async () => {
  const { out, err } = await shell(`${BENCH} -r 40 -o csv`);
  expect(
    out
      .trim()
      .split('\n')
      .map((line) => line.split(',')[0]),
  ).toEqual(['id', 'h8_kv1_d16_t64_f16']);
  expect(err).not.toMatch(/\p{Cc}(?<!\n)/u);
  const said = err.split('\n').filter((line) => /^\d+ %, /.test(line));
  expect(said[0]).toBe('0 %, preparing mqa @ d64');
  expect(said.at(-1)).toBe('100 %, done');
  expect(said.length).toBeLessThanOrEqual(11);
}, 120_000);
