// tuningFile.node.test.ts: where `gqa tune` keeps what it finds, and that it makes no folder anywhere else.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { checkTuningWritable, readTuning, tuningPath, writeTuning } from '../../src/node/tuningFile.ts';
import { NO_TUNING, withEntry } from '../../src/decode/tuning.ts';
import { userCache } from '../../src/node/userCache.ts';

const TUNING = withEntry(NO_TUNING, 'a device', 'a shape', {
  variant: { template: 'tiles', wgSize: 16, tile: 16, rowBlock: 8, mixWords: 1 },
  slots: 3,
});

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-tuning-'));
  vi.stubEnv('GQA_TUNING', '');
  vi.stubEnv('XDG_CACHE_HOME', '');
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

test.each([
  [{ XDG_CACHE_HOME: '/c' }, '/u/me', '/c'],
  [{ XDG_CACHE_HOME: '' }, '/u/me', '/u/me/.cache'],
  [{ XDG_CACHE_HOME: 'relative' }, '/u/me', '/u/me/.cache'],
  [{}, '/', undefined],
  [{}, '', undefined],
  [{ XDG_CACHE_HOME: '/c' }, '/', '/c'],
])('the cache folder of %j with home "%s"', (env, home, expected) => {
  expect(userCache(env, home)).toBe(expected);
});

test('no home: nothing is read, nothing is made, and the error says what to set', async () => {
  vi.stubEnv('HOME', '/');
  expect(tuningPath()).toBeUndefined();
  expect(readTuning()).toBe(NO_TUNING);
  await expect(checkTuningWritable()).rejects.toThrow('named in GQA_TUNING, got HOME "/", XDG_CACHE_HOME ""');
  expect(existsSync('/.cache')).toBe(false);
});

test('in a home without .cache: the check makes nothing, the write what is missing, for its owner alone', async () => {
  vi.stubEnv('HOME', folder);
  await checkTuningWritable();
  expect(readdirSync(folder)).toEqual([]);
  await writeTuning(TUNING);
  expect(tuningPath()).toBe(join(folder, '.cache', 'gqa-webgpu', 'tuning.json'));
  expect(statSync(join(folder, '.cache')).mode & 0o777).toBe(0o700);
  expect(readTuning()).toEqual(TUNING);
  await checkTuningWritable();
  expect(readdirSync(join(folder, '.cache', 'gqa-webgpu'))).toEqual(['tuning.json']);
});

test.each(['GQA_TUNING', 'XDG_CACHE_HOME'])(
  '%s below a folder that does not exist: an error, no folder',
  async (name) => {
    vi.stubEnv(name, join(folder, 'none', 'at', 'all'));
    await expect(checkTuningWritable()).rejects.toThrow(`the folder "${join(folder, 'none')}`);
    await expect(writeTuning(TUNING)).rejects.toThrow(join(folder, 'none'));
    expect(readdirSync(folder)).toEqual([]);
  },
);

test('a link stays one, its target is replaced', async () => {
  mkdirSync(join(folder, 'kept'));
  writeFileSync(join(folder, 'kept', 'file'), '{}');
  symlinkSync('kept/file', join(folder, 'link'));
  vi.stubEnv('GQA_TUNING', join(folder, 'link'));
  await writeTuning(TUNING);
  expect(readTuning(join(folder, 'kept', 'file'))).toEqual(TUNING);
  expect(readdirSync(folder)).toEqual(['kept', 'link']);
});

test('a folder in place of the file is said as that', async () => {
  vi.stubEnv('GQA_TUNING', folder);
  await expect(checkTuningWritable()).rejects.toThrow(
    `${folder}: cannot be written: expected a file, it is a folder`,
  );
  expect(() => readTuning()).toThrow(`${folder}: cannot be read: EISDIR`);
});
