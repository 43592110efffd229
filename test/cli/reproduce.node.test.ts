// reproduce.node.test.ts: `gqa reproduce`: what it refuses before it trains. test/bench/reproduce has a run of it.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { gqaMain } from '../support/gqaMain.ts';

const folder = mkdtempSync(join(tmpdir(), 'gqa-reproduce-'));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (...parts: string[]) => join(folder, ...parts);
writeFileSync(at('a-file'), 'mine');
mkdirSync(at('taken', 'figure5.svg'), { recursive: true });

describe('gqa reproduce refuses', () => {
  test.each([
    [['--charts', at('a-file')], `--charts "${at('a-file', 'figure4.svg')}": "${at('a-file')}" is no folder`],
    [['--charts', at('taken')], `--charts "${at('taken', 'figure5.svg')}": `],
    [['--charts', ''], 'expected a folder, got an empty name'],
    [['--charts', at('x'), '--kv-heads', '3'], 'expected divisors of the 4 heads of size tiny, got 3'],
  ])('%j', async (args, message) => {
    const { out, err, code } = await gqaMain(
      'reproduce',
      '--adapter',
      'swiftshader',
      '--size',
      'tiny',
      ...args,
    );
    expect(err).toContain(message);
    expect([out, code]).toEqual(['', 1]);
    expect(readdirSync(folder).toSorted()).toEqual(['a-file', 'taken']);
    expect(readdirSync(at('taken'))).toEqual(['figure5.svg']);
  });
});
