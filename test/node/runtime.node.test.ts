// runtime.node.test.ts: which runtime a process is, and the environment where it may not be read.
import { afterEach, expect, test, vi } from 'vitest';
import { runtimeContext } from '../../src/node/runtimeContext.ts';
import { dawnMissing } from '../../src/node/nodeGpu.ts';
import { environment, runtimeOf } from '../../src/node/runtime.ts';

afterEach(() => vi.unstubAllEnvs());

const NODE = { ...process.versions, node: '26.3.0', deno: undefined, bun: undefined };

test.each([
  ['node', {}, '26.3.0'],
  ['deno', { deno: '2.9.6' }, '2.9.6'],
  ['bun', { bun: '1.4.5' }, '1.4.5'],
] as const)('%s goes by its own version', (kind, own, version) => {
  expect(runtimeOf({ ...NODE, ...own })).toEqual({ kind, version });
});

test('a result says whose WebGPU it was', () => {
  expect(runtimeContext({ webgpu: 'dawn' }).runtime).toEqual({
    ...runtimeOf(),
    webgpu: expect.stringMatching(/^dawn \(webgpu \d+\.\d+\.\d+\)$/),
  });
  expect(runtimeContext({ webgpu: 'wgpu' }).runtime.webgpu).toBe('wgpu');
});

test('a variable that is empty, or that may not be read, is none', () => {
  vi.stubEnv('GQA_ADAPTER', '');
  expect(environment('GQA_ADAPTER')).toBeUndefined();
  vi.stubEnv('GQA_ADAPTER', 'card');
  expect(environment('GQA_ADAPTER')).toBe('card');
  const env = new Proxy(
    {},
    {
      get: () => {
        throw new Error('NotCapable: Requires env access');
      },
    },
  );
  vi.spyOn(process, 'env', 'get').mockReturnValueOnce(env);
  expect(environment('GQA_ADAPTER')).toBeUndefined();
});

test.each([
  ['Node', "Cannot find package 'webgpu' imported from /src/node.ts"],
  ['Bun', "Cannot find package 'webgpu' from '/src/node.ts'"],
  ['Deno', 'Import "webgpu" not a dependency and not in import map from "file:///src/node.ts"'],
])('a missing package is told from a broken one as %s says it', (_, said) => {
  expect(dawnMissing(new Error(said))).toMatchObject({
    problem: 'nodeGpu: the package "webgpu" is not installed.',
    hint: 'npm install webgpu@0.6',
  });
});
