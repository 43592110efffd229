// firefox.ts: finds a Firefox for the tests of the page: a given one, or the system's.
import { onPath } from './onPath.ts';

/** Firefox has WebGPU on Linux, and on software adapters, with these preferences only. */
export const FIREFOX_PREFS = { 'dom.webgpu.enabled': true, 'gfx.webgpu.ignore-blocklist': true };

/** The path of a Firefox: FIREFOX_PATH, else `firefox-esr` or `firefox` on PATH; undefined where there is none. */
export function findFirefox(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env.FIREFOX_PATH || onPath(env.PATH ?? '', ['firefox-esr', 'firefox']);
}
