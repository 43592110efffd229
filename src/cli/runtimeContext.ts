// runtimeContext.ts: what a result says of the tool and of the Node process that made it.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import packageJson from '../../package.json' with { type: 'json' };
import type { RunContext } from '../../bench/context.ts';

/** Version and commit of the tool, version of Node and of Dawn's package. */
export function runtimeContext(): Omit<RunContext, 'nonStandard'> {
  const commit = commitOf();
  return {
    version: packageJson.version,
    ...(commit && { commit }),
    runtime: { kind: 'node', version: process.versions.node, webgpu: `dawn (webgpu ${dawnVersion()})` },
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
