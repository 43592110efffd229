// embedded.node.test.ts: finding and unpacking the archives of the embedded software adapter and browser.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { findChromium } from '../../src/node/chromium.ts';
import {
  cacheFolder,
  embeddedRunsHere,
  findArchive,
  unpackDriver,
  unpackOnce,
  versionOf,
} from '../../src/node/embedded.ts';

const root = mkdtempSync(join(tmpdir(), 'gqa-embedded-'));
afterAll(() => rmSync(root, { recursive: true }));
let cache = '';
beforeEach(() => {
  cache = mkdtempSync(join(root, 'cache-'));
});

test('cacheFolder: XDG_CACHE_HOME, else .cache, then project and archive version', () => {
  expect(cacheFolder('1.2.3', {}, '/someone')).toBe('/someone/.cache/gqa-webgpu/1.2.3');
  expect(cacheFolder('1.2.3', { XDG_CACHE_HOME: '' }, '/someone')).toBe('/someone/.cache/gqa-webgpu/1.2.3');
  expect(cacheFolder('1.2.3', { XDG_CACHE_HOME: '/c' }, '/someone')).toBe('/c/gqa-webgpu/1.2.3');
});

describe('unpackOnce', () => {
  test('fills once and leaves no working folder', async () => {
    let fills = 0;
    const fill = async (target: string) => {
      fills++;
      writeFileSync(join(target, 'file'), 'x');
    };
    expect(await unpackOnce(cache, 'thing', fill)).toBe(join(cache, 'thing'));
    expect(await unpackOnce(cache, 'thing', fill)).toBe(join(cache, 'thing'));
    expect(fills).toBe(1);
    expect(readdirSync(cache)).toEqual(['thing']);
  });

  test('of several at the same time one wins, the others take its folder', async () => {
    const runs = ['a', 'b', 'c'].map((mark) =>
      unpackOnce(cache, 'thing', async (target) => {
        await new Promise((done) => setTimeout(done, 5));
        writeFileSync(join(target, 'mark'), mark);
      }),
    );
    expect(new Set(await Promise.all(runs))).toEqual(new Set([join(cache, 'thing')]));
    expect(readdirSync(cache)).toEqual(['thing']);
    expect(['a', 'b', 'c']).toContain(readFileSync(join(cache, 'thing/mark'), 'utf8'));
  });

  test('after an error nothing is left and the message names folder and reason', async () => {
    const failing = unpackOnce(cache, 'thing', () => Promise.reject(new Error('disk full')));
    await expect(failing).rejects.toMatchObject({ name: 'GqaError', code: 'archive' });
    await expect(failing).rejects.toThrow(
      `cannot unpack ${join(cache, 'thing')} (XDG_CACHE_HOME names another folder): disk full`,
    );
    expect(readdirSync(cache)).toEqual([]);
  });
});

test('versionOf reads the version, or says that there is none', () => {
  const file = join(cache, 'package.json');
  writeFileSync(file, '{"version":"4.5.6"}');
  expect(versionOf(file)).toBe('4.5.6');
  writeFileSync(file, '{}');
  expect(() => versionOf(file)).toThrow(`${file}: expected a version, found none`);
});

test('findArchive: undefined where the package is not installed', () => {
  expect(findArchive([join(root, 'package.json')])).toBeUndefined();
});

describe.runIf(embeddedRunsHere())('on linux-x64', () => {
  test('the archive unpacks to a driver and a loader', async () => {
    const archive = findArchive();
    expect(archive?.version).toBe('147.0.0');
    const { manifest, loader } = await unpackDriver(archive!, cache);
    expect(readFileSync(manifest, 'utf8')).toContain('"./libvk_swiftshader.so"');
    expect(existsSync(join(cache, 'swiftshader/libvk_swiftshader.so'))).toBe(true);
    expect(readFileSync(loader).subarray(1, 4).toString()).toBe('ELF');
  });
});

describe('findChromium', () => {
  test('CHROME_PATH wins, and the environment is passed on', async () => {
    const env = { CHROME_PATH: '/opt/chrome', PATH: '/bin', LANG: undefined };
    expect(await findChromium(env)).toEqual({
      executablePath: '/opt/chrome',
      env: { CHROME_PATH: '/opt/chrome', PATH: '/bin' },
    });
  });

  test('else an executable on PATH, chromium before google-chrome-stable before Edge; other files do not count', async () => {
    const [first, second] = [join(cache, 'first'), join(cache, 'second')];
    for (const folder of [first, second]) mkdirSync(folder);
    const env = { PATH: `${first}:${second}` };
    writeFileSync(join(first, 'google-chrome-stable'), '', { mode: 0o755 });
    writeFileSync(join(first, 'chromium'), '', { mode: 0o755 });
    expect((await findChromium(env)).executablePath).toBe(join(first, 'chromium'));
    rmSync(join(first, 'chromium'));
    expect((await findChromium(env)).executablePath).toBe(join(first, 'google-chrome-stable'));
    rmSync(join(first, 'google-chrome-stable'));
    writeFileSync(join(first, 'microsoft-edge'), '', { mode: 0o755 });
    expect((await findChromium(env)).executablePath).toBe(join(first, 'microsoft-edge'));
    writeFileSync(join(second, 'chromium'), '', { mode: 0o755 });
    expect((await findChromium(env)).executablePath).toBe(join(second, 'chromium'));
  });

  test.runIf(embeddedRunsHere() && findArchive())(
    'the embedded one brings its driver: a choice of drivers is not passed on',
    async () => {
      const drivers = { VK_DRIVER_FILES: '/nowhere', VK_ICD_FILENAMES: '/nowhere' };
      const { env } = await findChromium({ PATH: '', LANG: 'C', ...drivers });
      expect(env).toMatchObject({ LANG: 'C' });
      expect(Object.keys(env).filter((name) => name.startsWith('VK_'))).toEqual([]);
    },
    120_000,
  );
});
