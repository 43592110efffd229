// userCache.ts: the folder for what this project keeps on a machine: tuning results, unpacked drivers.
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

/**
 * XDG_CACHE_HOME, else .cache in the home folder. Undefined without a usable one: a relative XDG_CACHE_HOME does not count
 * (as its specification has it), and neither does a home that is empty or the root of the disk.
 */
export function userCache(env: NodeJS.ProcessEnv = process.env, home = homedir()): string | undefined {
  if (env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME)) return env.XDG_CACHE_HOME;
  return isAbsolute(home) && dirname(home) !== home ? join(home, '.cache') : undefined;
}
