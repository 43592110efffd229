// reproduce.node.test.ts: `gqa reproduce`: what it refuses before it trains, and a run from a checkpoint. test/bench/reproduce has a whole run.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { ReproduceResult, SeedRun } from '../../bench/schema/reproduceSchema.ts';
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

describe('gqa reproduce of a folder', () => {
  const stories = fileURLToPath(new URL('../../models/stories', import.meta.url));
  const ON = ['--adapter', 'swiftshader'];

  test('begins at its model, at its sizes, and trains on for shares of its own steps', async () => {
    const few = ['--kv-heads', '2', '--methods', 'mean', '--alphas', '0,0.0005', '--seeds', '1'];
    const { out, code } = await gqaMain(
      'reproduce',
      stories,
      ...ON,
      ...few,
      '--windows',
      '4',
      '--no-times',
      '-o',
      'json',
    );
    expect(code).toBeUndefined();
    const { params, runs } = JSON.parse(out) as ReproduceResult;
    expect(params).toMatchObject({ size: 'stories', model: { heads: 8 }, steps: 4000, windows: 4 });
    expect(runs).toHaveLength(1);
    const [{ loss, curves }] = runs as [SeedRun];
    // Trained to half a nat a character; merged by mean it writes noise, and two steps on it is still near that.
    expect(loss).toBeLessThan(0.7);
    expect(curves.map(({ kvHeads, method, points }) => [kvHeads, method, points.length])).toEqual([
      [2, 'mean', 2],
    ]);
    for (const point of curves[0]!.points) expect(point.loss).toBeGreaterThan(4);
  });

  test.each([
    [[stories, '--size', 'tiny'], 'has sizes of its own; leave it out'],
    [[join(stories, 'none')], 'none'],
  ])('%j is refused', async (args, message) => {
    const { out, err, code } = await gqaMain('reproduce', ...ON, ...args);
    expect(err).toContain(message);
    expect([out, code]).toEqual(['', 1]);
  });
});
