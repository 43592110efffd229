// embedded.ts: the software GPU driver, and for tests the browser, that come in the npm package @sparticuz/chromium.
//
// The package's brotli archives are unpacked once into the user's cache folder; none of the package's code is run.
import { createReadStream, createWriteStream, existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { brotliDecompress, createBrotliDecompress } from 'node:zlib';
import { GqaError, messageOf } from '../device/errors.ts';
import { isRecord } from '../device/options.ts';
import { unpackTar } from './tar.ts';
import { userCache } from './userCache.ts';

const PACKAGE = '@sparticuz/chromium';

/** What a user runs to get the embedded software adapter; later versions of the package need a newer Node. */
export const EMBEDDED_INSTALL = `npm install --save-dev ${PACKAGE}@147.0.0`;

/** The installed archive package. */
export interface Archive {
  readonly version: string;
  /** Folder of the `.br` files. */
  readonly bin: string;
}

/** The embedded driver on disk. */
export interface EmbeddedDriver {
  /** Vulkan driver manifest of SwiftShader. */
  readonly manifest: string;
  /** A Vulkan loader, for machines without one. */
  readonly loader: string;
}

/** The embedded browser on disk: the binary, its libraries and a fontconfig file that names its fonts. */
export interface EmbeddedChromium {
  readonly executablePath: string;
  readonly libraries: string;
  readonly fontsConf: string;
}

/** Do the archive's x86-64 Linux binaries run here? */
export function embeddedRunsHere(): boolean {
  return process.platform === 'linux' && process.arch === 'x64';
}

/** Finds the archive package, seen from this library or from the current folder; undefined when it is not installed. */
export function findArchive(
  from: readonly string[] = [import.meta.url, join(process.cwd(), 'package.json')],
): Archive | undefined {
  for (const start of from) {
    // The package exports no package.json, so walk up from its entry: <root>/build/cjs/index.cjs.
    const entry = resolveOrUndefined(start);
    const root = entry && dirname(dirname(dirname(entry)));
    if (!root || !existsSync(join(root, 'bin/swiftshader.tar.br'))) continue;
    return { version: versionOf(join(root, 'package.json')), bin: join(root, 'bin') };
  }
  return undefined;
}

/** The version field of a package.json. Throws GqaError `archive` when it has none. */
export function versionOf(packageJson: string): string {
  const parsed: unknown = JSON.parse(readFileSync(packageJson, 'utf8'));
  if (isRecord(parsed) && typeof parsed['version'] === 'string') return parsed['version'];
  throw new GqaError('archive', `${packageJson}: expected a version, found none`);
}

function resolveOrUndefined(start: string): string | undefined {
  try {
    return createRequire(start).resolve(PACKAGE);
  } catch {
    return undefined;
  }
}

/** The folder that holds what was unpacked: in the user's cache, one per archive version. Throws GqaError `archive`. */
export function cacheFolder(version: string, env: NodeJS.ProcessEnv = process.env, home = homedir()): string {
  const cache = userCache(env, home);
  if (!cache)
    throw new GqaError('archive', `no home folder to unpack into, got "${home}"; name one in XDG_CACHE_HOME`);
  return join(cache, 'gqa-webgpu', version);
}

/** Unpacks SwiftShader (about 20 MB, 0.2 s) unless it is there already. Throws GqaError `archive`. */
export async function unpackDriver(
  archive: Archive,
  cache = cacheFolder(archive.version),
): Promise<EmbeddedDriver> {
  const folder = await unpackOnce(cache, 'swiftshader', (target) =>
    unpackArchive(archive, 'swiftshader', target),
  );
  return { manifest: join(folder, 'vk_swiftshader_icd.json'), loader: join(folder, 'libvulkan.so.1') };
}

/** Unpacks the headless browser (about 220 MB, 3 s) unless it is there already. Throws GqaError `archive`. */
export async function unpackChromium(
  archive: Archive,
  cache = cacheFolder(archive.version),
): Promise<EmbeddedChromium> {
  const final = join(cache, 'chromium');
  await unpackOnce(cache, 'chromium', async (target) => {
    const binary = createWriteStream(join(target, 'chromium'), { mode: 0o755 });
    await pipeline(createReadStream(join(archive.bin, 'chromium.br')), createBrotliDecompress(), binary);
    for (const name of ['swiftshader', 'al2023', 'fonts']) await unpackArchive(archive, name, target);
    await writeFile(join(target, 'fonts.conf'), fontsConf(final));
  });
  return {
    executablePath: join(final, 'chromium'),
    libraries: join(final, 'lib'),
    fontsConf: join(final, 'fonts.conf'),
  };
}

async function unpackArchive(archive: Archive, name: string, target: string): Promise<void> {
  unpackTar(await promisify(brotliDecompress)(await readFile(join(archive.bin, `${name}.tar.br`))), target);
}

/**
 * Fills `<cache>/<name>` once and returns its path. The work is done in a folder of its own that is then renamed, so
 * other processes see all of it or nothing, and of several that start together one wins. Throws GqaError `archive`.
 */
export async function unpackOnce(
  cache: string,
  name: string,
  fill: (target: string) => Promise<void>,
): Promise<string> {
  const final = join(cache, name);
  if (existsSync(final)) return final;
  let working: string | undefined;
  try {
    await mkdir(cache, { recursive: true });
    working = await mkdtemp(join(cache, `.${name}-`));
    await fill(working);
    await rename(working, final);
  } catch (error) {
    if (working) await rm(working, { recursive: true, force: true });
    // Another process was faster: a rename onto its full folder fails, and its folder is as good as ours.
    if (!existsSync(final)) {
      const why = messageOf(error);
      throw new GqaError('archive', `cannot unpack ${final} (XDG_CACHE_HOME names another folder): ${why}`, {
        cause: error,
      });
    }
  }
  return final;
}

// The archive's own fonts.conf names fixed folders outside the cache; without fonts all text has width 0.
function fontsConf(folder: string): string {
  const path = folder.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${path}/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${path}/fontcache</cachedir>
</fontconfig>
`;
}
