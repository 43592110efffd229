// loader.node.test.ts: probing for libraries, driver manifests, and the environment's choice of drivers.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import {
  driverManifests,
  driverOverride,
  manifestFolders,
  pinLibrary,
  withDriver,
} from '../../src/node/loader.ts';

const folder = mkdtempSync(join(tmpdir(), 'gqa-loader-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

describe.runIf(process.platform === 'linux')('pinLibrary', () => {
  test('finds the C library, which every process has', () => {
    expect(pinLibrary('libc.so.6')).toBe(true);
  });

  test('reports an absent library and a file that is no library', () => {
    expect(pinLibrary('libgqa-no-such-library.so.9')).toBe(false);
    const text = join(folder, 'libtext.so');
    writeFileSync(text, 'not a library');
    expect(pinLibrary(text)).toBe(false);
  });
});

test('manifestFolders: the standard order, without doubles', () => {
  expect(manifestFolders({}, '/someone')).toEqual([
    '/someone/.config/vulkan/icd.d',
    '/etc/xdg/vulkan/icd.d',
    '/usr/local/etc/vulkan/icd.d',
    '/etc/vulkan/icd.d',
    '/someone/.local/share/vulkan/icd.d',
    '/usr/local/share/vulkan/icd.d',
    '/usr/share/vulkan/icd.d',
  ]);
  expect(
    manifestFolders(
      { XDG_CONFIG_HOME: '/c', XDG_CONFIG_DIRS: '/etc:', XDG_DATA_HOME: '/d', XDG_DATA_DIRS: '/e:/d' },
      '/h',
    ),
  ).toEqual([
    '/c/vulkan/icd.d',
    '/etc/vulkan/icd.d',
    '/usr/local/etc/vulkan/icd.d',
    '/d/vulkan/icd.d',
    '/e/vulkan/icd.d',
  ]);
});

test('driverManifests: the json files of the folders, after the added ones', () => {
  const icd = join(folder, 'data/vulkan/icd.d');
  mkdirSync(icd, { recursive: true });
  for (const name of ['b.json', 'a.json', 'readme.txt']) writeFileSync(join(icd, name), '{}');
  const added = join(folder, 'added.json');
  writeFileSync(added, '{}');
  const env = { XDG_DATA_HOME: join(folder, 'data'), VK_ADD_DRIVER_FILES: `/nowhere.json:${added}` };
  const found = driverManifests(env, '/nowhere').filter((path) => path.startsWith(folder));
  expect(found).toEqual([added, join(icd, 'a.json'), join(icd, 'b.json')]);
});

describe('driverOverride', () => {
  test('is undefined when neither variable is set', () => {
    expect(driverOverride({})).toBeUndefined();
  });

  test('keeps the files that exist; the newer variable wins', () => {
    expect(driverOverride({ VK_ICD_FILENAMES: '/b', VK_DRIVER_FILES: `/nowhere.json:${folder}` })).toEqual({
      variable: 'VK_DRIVER_FILES',
      value: `/nowhere.json:${folder}`,
      existing: [folder],
    });
  });

  test('an empty value is a choice: no drivers', () => {
    expect(driverOverride({ VK_ICD_FILENAMES: '' })).toEqual({
      variable: 'VK_ICD_FILENAMES',
      value: '',
      existing: [],
    });
  });
});

test('withDriver shows one manifest and puts the variables back, also after an error', () => {
  vi.stubEnv('VK_DRIVER_FILES', '/mine.json');
  vi.stubEnv('VK_ICD_FILENAMES', undefined);
  const seen = withDriver('/one.json', () => [process.env.VK_DRIVER_FILES, process.env.VK_ICD_FILENAMES]);
  expect(seen).toEqual(['/one.json', '/one.json']);
  expect(() =>
    withDriver('/one.json', () => {
      throw new Error('inside');
    }),
  ).toThrow('inside');
  expect(process.env.VK_DRIVER_FILES).toBe('/mine.json');
  expect('VK_ICD_FILENAMES' in process.env).toBe(false);
});
