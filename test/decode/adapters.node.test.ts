// adapters.node.test.ts: the numerics grid on every software adapter here, and at every subgroup size lavapipe can be given.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { nodeAdapters } from '../../src/node/nodeGpu.ts';
import { builtGqa } from '../support/builtGqa.ts';

const run = promisify(execFile);

interface Report {
  readonly groups: readonly { readonly kernel: string; readonly elements: string; readonly failed: number }[];
}

// Drivers read these variables when they start, so each setting needs a process of its own. A cached shader would be
// one of another setting. A wrong result makes the exit code 1 and the call here reject.
async function check(args: readonly string[], env: Record<string, string> = {}): Promise<string[]> {
  const { stdout } = await run(
    process.execPath,
    [await builtGqa(), 'check', ...args, '--kernel', 'registers,tiles', '-o', 'json'],
    {
      env: { ...process.env, MESA_SHADER_CACHE_DISABLE: 'true', ...env },
      maxBuffer: 2 ** 26,
    },
  );
  const { groups } = JSON.parse(stdout) as Report;
  expect(groups.every(({ failed }) => failed === 0)).toBe(true);
  return groups.map(({ kernel, elements }) => `${kernel} ${elements}`).toSorted();
}

/** Both templates in these element types. */
const both = (types: readonly string[]) =>
  ['registers', 'tiles'].flatMap((kernel) => types.map((type) => `${kernel} ${type}`)).toSorted();

let hasLavapipe: boolean;

beforeAll(async () => {
  hasLavapipe = (await nodeAdapters()).some(({ name }) => name.includes('llvmpipe'));
});

describe('the numerics grid', () => {
  test('on the embedded adapter, subgroups of 4', async () => {
    expect(await check(['--case', '_t129_', '--adapter', 'swiftshader'])).toEqual(both(KV_TYPES));
    // Another group by both, and another head dim by the template that is chosen.
    expect(await check(['--case', 'h12_kv2_', '--adapter', 'swiftshader'])).toEqual(both(['f16']));
    expect(await check(['--case', '_d96_', '--adapter', 'swiftshader'])).toEqual(['registers f16']);
  }, 240_000);

  // Vectors of 128, 256 and 512 bits give subgroups of 4, 8 and 16; the rest of the suite runs at the default, 8. A row of f32
  // has words for teams of 16.
  test.each([
    ['128', 'f16'],
    ['512', 'f32'],
  ])(
    'on lavapipe with vectors of %s bits',
    async (bits, type) => {
      if (!hasLavapipe)
        return console.warn('no lavapipe on this machine: subgroup sizes 4 and 16 are not covered');
      const args = ['--case', `_t129_${type}`, '--adapter', 'llvmpipe'];
      expect(await check(args, { LP_NATIVE_VECTOR_WIDTH: bits })).toEqual(both([type]));
    },
    240_000,
  );
});
