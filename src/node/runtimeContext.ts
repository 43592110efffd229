// runtimeContext.ts: what a result says of the tool and of the process that made it.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import packageJson from '../../package.json' with { type: 'json' };
import { GqaError } from '../device/errors.ts';
import { DAWN_NAME, type NodeGpu } from './adapters.ts';
import { runtimeOf } from './runtime.ts';

/** What a result says of the tool. */
export interface Tool {
  readonly version: string;
  readonly commit?: string;
}

/** What a result says of the tool and of the process. */
export interface Runtime extends Tool {
  readonly runtime: { readonly kind: string; readonly version: string; readonly webgpu?: string };
}

/** Version and commit of the tool. */
export function toolContext(): Tool {
  const commit = commitOf();
  return { version: packageJson.version, ...(commit && { commit }) };
}

/** Version and commit of the tool, the runtime, and whose WebGPU it uses. */
export function runtimeContext({ webgpu }: Pick<NodeGpu, 'webgpu'>): Runtime {
  return {
    ...toolContext(),
    runtime: {
      ...runtimeOf(),
      webgpu: webgpu === DAWN_NAME ? `${webgpu} (webgpu ${dawnVersion()})` : webgpu,
    },
  };
}

/** The commit that GQA_COMMIT names (a machine without git), or that of the clone this file lies in. */
function commitOf(): string | undefined {
  if (process.env.GQA_COMMIT) return process.env.GQA_COMMIT;
  try {
    const cwd = fileURLToPath(new URL('.', import.meta.url));
    if (cwd.includes('node_modules')) return undefined;
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? '+changes' : ''}`;
  } catch {
    return undefined;
  }
}

function dawnVersion(): string {
  const { version } = createRequire(import.meta.url)('webgpu/package.json') as { version: string };
  return version;
}

const CPU_CACHES = '/sys/devices/system/cpu/cpu0/cache';

/**
 * The size of the last-level cache: what GQA_LLC_MIB says, else that of the processor, which a software adapter's buffers
 * lie in; nothing where it is not told. Throws GqaError for a GQA_LLC_MIB that is no number of MiB.
 */
export function lastLevelCache(software: boolean): { lastLevelCacheBytes?: number } {
  const given = process.env.GQA_LLC_MIB;
  if (given) {
    if (!/^[1-9]\d{0,5}$/.test(given))
      throw new GqaError(
        'usage',
        `GQA_LLC_MIB: expected a positive whole number of MiB below a million, got "${given}"`,
      );
    return { lastLevelCacheBytes: Number(given) * 2 ** 20 };
  }
  return software ? processorCache() : {};
}

function processorCache(): { lastLevelCacheBytes?: number } {
  try {
    const sizes = readdirSync(CPU_CACHES)
      .filter((name) => name.startsWith('index'))
      .map((name) => /^(\d+)K$/.exec(readFileSync(`${CPU_CACHES}/${name}/size`, 'utf8').trim())?.[1]);
    const largest = Math.max(...sizes.map((kib) => Number(kib ?? 0)));
    return largest > 0 ? { lastLevelCacheBytes: largest * 1024 } : {};
  } catch {
    return {}; // another operating system
  }
}
