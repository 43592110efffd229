// firefox.node.test.ts: which Firefox is found, and what becomes of one that does not work.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { findFirefox } from '../../src/node/firefox.ts';
import { tryFirefox } from '../support/page/firefox.ts';

const root = mkdtempSync(join(tmpdir(), 'gqa-find-firefox-'));
afterAll(() => rmSync(root, { recursive: true }));
afterEach(() => void vi.unstubAllEnvs());

/** A folder of programs that end at once. */
function folderOf(...names: string[]): string {
  const folder = mkdtempSync(join(root, 'bin-'));
  for (const name of names) writeFileSync(join(folder, name), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  return folder;
}

describe('findFirefox', () => {
  test('takes the one that is named, then firefox-esr, then firefox', () => {
    const [both, other] = [folderOf('firefox', 'firefox-esr'), folderOf('firefox')];
    expect(findFirefox({ FIREFOX_PATH: '/mine', PATH: both })).toBe('/mine');
    expect(findFirefox({ PATH: [other, both].join(delimiter) })).toBe(join(both, 'firefox-esr'));
    expect(findFirefox({ FIREFOX_PATH: '', PATH: other })).toBe(join(other, 'firefox'));
  });

  test('takes no file that cannot be run, and no folder', () => {
    const folder = folderOf();
    writeFileSync(join(folder, 'firefox-esr'), '', { mode: 0o644 });
    mkdirSync(join(folder, 'firefox'));
    expect(findFirefox({ PATH: folder })).toBeUndefined();
    expect(findFirefox({})).toBeUndefined();
  });
});

describe('a Firefox that does not start', () => {
  const address = 'http://127.0.0.1/';

  test('is a reason to skip when it was only found, an error when it was named; nothing of it stays', async () => {
    const temporary = mkdtempSync(join(root, 'tmp-'));
    vi.stubEnv('TMPDIR', temporary);
    const PATH = folderOf('firefox');
    expect(await tryFirefox(address, { PATH })).toMatch(/launch/i);
    await expect(tryFirefox(address, { FIREFOX_PATH: join(PATH, 'firefox') })).rejects.toThrow(/launch/i);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('that is not there is a reason to skip, in words', async () => {
    expect(await tryFirefox(address, {})).toBe('no FIREFOX_PATH, no firefox-esr or firefox on PATH');
  });
});
