// commands.test.ts: the built `gqa` command in Deno: it uses Deno's own WebGPU, says so, and is right there.
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { BenchResult } from '../../bench/schema/schema.ts';
import { nodeGpu } from '../../src/node.ts';
import { runtimeOf } from '../../src/node/runtime.ts';

const { adapterName, software } = await nodeGpu();
const { version } = runtimeOf();

/** Runs the command in a Deno of its own; without colours, and without an adapter's name from outside. */
function gqa(...args: string[]) {
  const { FORCE_COLOR: _, GQA_ADAPTER: __, ...rest } = process.env;
  const env = { ...rest, NO_COLOR: '1' };
  const deno = ['run', '-A', '--unstable-webgpu', 'dist/cli.js', ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, deno, { env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

describe('gqa in Deno', () => {
  test('doctor names wgpu, Deno and the adapter, and asks Dawn nothing', () => {
    const { status, stdout, stderr } = gqa('doctor');
    expect(stderr).toBe('');
    expect(stdout).toContain(`ok    wgpu, the runtime's own WebGPU, deno ${version}, `);
    expect(stdout).toContain(`adapter "${adapterName}"`);
    expect(stdout).toContain('ok    compute round trip gives the right numbers');
    expect(status).toBe(0);
  });

  test('bench times rows that are right, and its result says where', () => {
    const { status, stdout } = gqa('bench', '--kv-heads', '8', '-d', '128', '-r', '3', '-o', 'json');
    expect(status).toBe(0);
    const { context, results } = JSON.parse(stdout) as BenchResult;
    expect(context.runtime).toEqual({ kind: 'deno', version, webgpu: 'wgpu' });
    expect(results.map(({ time, error }) => [time === null, error])).toEqual([[false, undefined]]);
  });

  test('no other adapter can be asked for, the embedded one neither', () => {
    const { status, stderr } = gqa('check', '--quick', '--adapter', 'swiftshader');
    expect(stderr).toContain(
      `adapter "swiftshader" was asked for, but the WebGPU of deno ${version} (wgpu) gives "${adapterName}"`,
    );
    expect(status).toBe(3);
  });

  test.runIf(software)('a software adapter is refused where a GPU is required', () => {
    const { status, stderr } = gqa('check', '--quick', '--require-gpu');
    expect(stderr).toContain(`a GPU is required, but "${adapterName}" is a software adapter`);
    expect(status).toBe(3);
  });

  // A driver that compiles with the processor needs minutes for the first check on a busy machine.
  test('check finds every kernel right', { timeout: 600_000 }, () => {
    const { status, stdout, stderr } = gqa('check', '--quick');
    expect(stdout, stderr).toMatch(/^ok: \d+ runs of \d+ cases, all within the bounds$/m);
    expect(stdout).toContain(`(deno ${version}, wgpu)`);
    expect(status).toBe(0);
  });
});
