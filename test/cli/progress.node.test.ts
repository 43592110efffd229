// progress.node.test.ts: what progress shows on a terminal, what it leaves there, and what a log gets.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { progressLine } from '../../cli/convert/convertProgress.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { canRewrite } from '../../src/node/command/terminalLine.ts';
import { formatTimeLeft, TimeLeft } from '../../src/node/command/timeLeft.ts';
import { screen } from '../support/screen.ts';

/** A terminal, or a log, that keeps what is written to it; stdout and stderr of a command on it. */
class FakeTerminal {
  written = '';
  readonly isTTY: boolean;
  declare columns?: number;
  constructor(isTTY: boolean, columns?: number) {
    this.isTTY = isTTY;
    if (columns !== undefined) this.columns = columns;
  }
  write(text: string): boolean {
    this.written += text;
    return true;
  }
  get rows(): string[] {
    return screen(this.written, this.columns || 80);
  }
  get lastRow(): string {
    return this.rows.at(-1)!;
  }
}

function place(terminal: FakeTerminal) {
  const clock = { ms: 1000 };
  const stdout = { write: (text: string) => terminal.write(text), isTTY: terminal.isTTY };
  const progress = new Progress({ terminal, others: [stdout], now: () => clock.ms });
  return { progress, stdout, clock };
}

function onTerminal(columns?: number) {
  vi.stubEnv('TERM', 'xterm');
  vi.stubEnv('CI', '');
  const terminal = new FakeTerminal(true, columns);
  return { terminal, ...place(terminal) };
}

function inLog() {
  const terminal = new FakeTerminal(false);
  return { terminal, ...place(terminal) };
}

afterEach(() => void vi.unstubAllEnvs());

describe('on a terminal', () => {
  test('one line is rewritten: share, time left, what is done', () => {
    const { terminal, progress, clock } = onTerminal();
    progress.show('a long text at the start', 0);
    expect(terminal.rows).toEqual(['0 %, a long text at the start']);
    clock.ms += 30_000;
    progress.show('short', 0.25);
    expect(terminal.rows).toEqual(['25 %, 2 min left, short']);
    progress.show('without a share');
    expect(terminal.rows).toEqual(['without a share']);
    progress.show('all but the end', 1);
    expect(terminal.rows).toEqual(['99 %, 1 s left, all but the end']);
    progress.done();
    progress.end();
    expect(terminal.rows).toEqual(['']);
  });

  test.each([
    ['stdout', (at: ReturnType<typeof onTerminal>) => at.stdout.write('| table |\n')],
    ['stderr', (at: ReturnType<typeof onTerminal>) => at.terminal.write('| table |\n')],
    ['a line that stays', (at: ReturnType<typeof onTerminal>) => at.progress.line('| table |')],
  ])('whatever else is written finds a clean line: %s', (_, write) => {
    const at = onTerminal();
    const { write: own } = at.stdout;
    at.progress.show('a text that is longer than the table', 0.5);
    write(at);
    expect(at.terminal.rows).toEqual(['| table |', '']);
    at.progress.show('next', 0.6);
    expect(at.terminal.rows).toEqual(['| table |', '60 %, next']);
    at.progress.end();
    expect(at.terminal.rows).toEqual(['| table |', '']);
    // And the streams are as they were.
    expect(Object.hasOwn(at.terminal, 'write')).toBe(false);
    expect(at.stdout.write).toBe(own);
  });

  test.each([
    ['plain', 'x'.repeat(100)],
    ['CJK', '模型'.repeat(40)],
    ['emoji', '🦙'.repeat(40)],
    ['accents', 'e\u0301'.repeat(100)],
    ['colours', '\x1b[31mred\x1b[0m '.repeat(30)],
    ['codes that move the cursor', 'a\x1b[2Jb\nc\rd\te\x9b1Af\u202eg'.repeat(20)],
    ['half a character', '\ud800'.repeat(60)],
  ])('a text of %s keeps to one row, and leaves room for ^C', (_, text) => {
    for (const columns of [1, 2, 3, 4, 5, 10, 40, 41, 79, 80]) {
      const { terminal, progress } = onTerminal(columns);
      progress.show(text, 0.5);
      progress.show(text, 0.5);
      if (columns > 3) terminal.written += '^C';
      expect(terminal.rows).toHaveLength(1);
      if (columns >= 10) expect(terminal.lastRow).toMatch(/^50 %, ./);
    }
  });

  test.each([0, undefined])('of %s columns, as some say, has 80', (columns) => {
    const { terminal, progress } = onTerminal(columns);
    progress.show('x'.repeat(300));
    expect(terminal.rows).toEqual(['x'.repeat(77)]);
  });

  test('that is resized: the next text keeps to its width', () => {
    const { terminal, progress } = onTerminal(40);
    for (const columns of [20, 60]) {
      terminal.columns = columns;
      progress.show('x'.repeat(100));
      expect(terminal.lastRow).toBe('x'.repeat(columns - 3));
    }
  });

  test('after an abort nothing is shown any more', () => {
    const { terminal, progress } = onTerminal();
    const controller = new AbortController();
    progress.until(controller.signal);
    progress.show('before', 0.1);
    controller.abort();
    terminal.write('SIGINT: ending the run\n');
    progress.show('after', 0.2);
    expect(terminal.rows).toEqual(['SIGINT: ending the run', '']);
  });

  test.each([
    [{ TERM: 'xterm' }, true],
    [{}, true], // Windows
    [{ TERM: 'xterm', NO_COLOR: '1' }, true], // there are no colours
    [{ TERM: 'xterm', CI: '' }, true],
    [{ TERM: 'dumb' }, false],
    [{ TERM: 'xterm', CI: 'true' }, false],
  ])('of the environment %j a line is rewritten: %s', (env, rewritten) => {
    expect(canRewrite({ isTTY: true }, env)).toBe(rewritten);
    expect(canRewrite({ isTTY: false }, env)).toBe(false);
    expect(canRewrite({}, env)).toBe(false);
  });
});

describe('in a log', () => {
  test('there are a few whole lines without codes, the last at 100 %', () => {
    const { terminal, progress, clock } = inLog();
    for (let i = 0; i <= 1000; i++, clock.ms += 100) progress.show(`sample\r${i}\x1b[1m`, i / 1000);
    progress.done();
    progress.end();
    expect(terminal.written).not.toMatch(/\p{Cc}(?<!\n)/u);
    const lines = terminal.written.trimEnd().split('\n');
    expect(lines).toHaveLength(11);
    expect(lines.map((line) => line.split(',')[0])).toEqual(
      Array.from({ length: 11 }, (_, i) => `${10 * i} %`),
    );
    expect(lines[5]).toBe('50 %, 50 s left, sample 500');
    expect(lines.at(-1)).toBe('100 %, done');
  });

  test('work that is slow gets a line a minute, so that nobody takes it for hung', () => {
    const { terminal, progress, clock } = inLog();
    for (let i = 0; i <= 100; i++, clock.ms += 6000) progress.show('slow', i / 10_000);
    expect(terminal.written.match(/slow\n/g)).toHaveLength(11);
  });

  test('a text without a share is not for it', () => {
    const { terminal, progress } = inLog();
    progress.show('reading');
    expect(terminal.written).toBe('');
  });
});

describe('the share', () => {
  test('never falls, and is no more than all', () => {
    const { terminal, progress } = onTerminal();
    const shown = [0.5, 0.4, NaN, -1, 0.6, Infinity, 0.2].map((share) => {
      progress.show('x', share);
      return terminal.lastRow;
    });
    expect(shown).toEqual(['50 %, x', '50 %, x', 'x', '50 %, x', '60 %, x', '99 %, x', '99 %, x']);
  });

  test('is 100 % when it is done and not before, and after an abort never', () => {
    const { terminal, progress } = inLog();
    progress.show('rounded up', 0.9999);
    progress.show('all but the end', 1);
    expect(terminal.written).toBe('99 %, rounded up\n');
    progress.done();
    expect(terminal.written).toBe('99 %, rounded up\n100 %, done\n');

    const cut = inLog();
    cut.progress.until(AbortSignal.abort());
    cut.progress.done();
    expect(cut.terminal.written).toBe('');
  });
});

describe('time left', () => {
  test('is told once 2 % and 2 s are there to tell it from, counted from where it began', () => {
    const left = new TimeLeft();
    expect(left.at(5000, 0.5)).toBeUndefined();
    expect(left.at(5000, 0.9)).toBeUndefined();
    expect(left.at(6999, 0.6)).toBeUndefined();
    expect(left.at(60_000, 0.519)).toBeUndefined();
    expect(left.at(15_000, 0.75)).toBeCloseTo(10_000);
    expect(left.at(15_000, 1)).toBe(0);
  });

  test.each([
    [0, '1 s'],
    [400, '1 s'],
    [39_500, '40 s'],
    [59_001, '1 min'],
    [89_000, '1 min'],
    [91_000, '2 min'],
    [59 * 60_000, '59 min'],
    [59.9 * 60_000, '1 h'],
    [80 * 60_000, '1 h 20 min'],
    [30 * 3_600_000, '30 h'],
    [72 * 3_600_000, '3 days'],
  ])('%d ms is said as %s', (ms, text) => expect(formatTimeLeft(ms)).toBe(text));
});

test('a conversion: at most some lines a second, no speed before there is one, all bytes are not yet all', () => {
  const { terminal, progress, clock } = onTerminal();
  const show = progressLine(progress, () => clock.ms);
  show({ shard: 'a.safetensors', done: 0, total: 2048 });
  expect(terminal.lastRow).toBe('0 %, a.safetensors: 0 B of 2 KiB');
  clock.ms += 50;
  show({ shard: 'a.safetensors', done: 512, total: 2048 });
  expect(terminal.lastRow).toBe('0 %, a.safetensors: 0 B of 2 KiB');
  clock.ms += 950;
  show({ shard: 'b.safetensors', done: 1024, total: 2048 });
  expect(terminal.lastRow).toBe('50 %, b.safetensors: 1 KiB of 2 KiB, 1 KiB/s');
  show({ shard: 'b.safetensors', done: 2048, total: 2048 });
  expect(terminal.lastRow).toBe('99 %, b.safetensors: 2 KiB of 2 KiB, 2 KiB/s, finishing');
});
