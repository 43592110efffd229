// run.ts: `npm run test:deno`: the tests that Deno runs, on its own WebGPU, which is Mozilla's wgpu.
//
// Needs npm's registry, or a full cache, once for Deno itself. Exit code 1 when a test fails; where there is no Deno for the
// machine or no adapter for Deno it says so, and the exit code is 0.
import { spawnSync } from 'node:child_process';
import { ROOT } from '../../scripts/resultFiles.ts';
import { denoBinary, installTools, run } from '../package/project.ts';

const FLAGS = ['-A', '--unstable-webgpu'];
const HAS_ADAPTER = 'console.log((await navigator.gpu?.requestAdapter()) ? "yes" : "no")';

/** Why the tests cannot run here; undefined where they can. */
function missing(deno: string | undefined): string | undefined {
  if (deno === undefined)
    return `there is no Deno for ${process.platform}-${process.arch} in its npm package`;
  const answer = run(ROOT, deno, 'eval', '--unstable-webgpu', HAS_ADAPTER).trim();
  return answer === 'yes' ? undefined : "Deno's WebGPU gives no adapter on this machine";
}

installTools();
const deno = denoBinary();
const why = missing(deno);
if (why === undefined) {
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)];
  const { status } = spawnSync(deno!, ['run', ...FLAGS, ...vitest], { cwd: ROOT, stdio: 'inherit' });
  process.exitCode = status ?? 1;
} else {
  process.stdout.write(`skipped: ${why}\n`);
}
