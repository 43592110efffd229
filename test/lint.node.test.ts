// lint.node.test.ts: every shader the project can link, through Dawn's null backend: no error, no warning, a pipeline.
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { borrowDevice, type GqaDevice } from '../src/device/gqaDevice.ts';
import { fusedKernel } from '../src/kernels/fused.ts';
import type { Kernel } from '../src/kernels/kernel.ts';
import { plainScores } from '../src/kernels/plain.ts';
import { checkShape } from '../src/kernels/shape.ts';
import { validatorGpu } from '../src/node/nodeGpu.ts';
import { F32_ROWS } from './support/rowFormats.ts';
import { pipelineMessages } from './support/compilerMessages.ts';
import { uninitialisedVariables, withoutComments } from './support/conventions.ts';
import { GPUS } from './support/deviceFacts.ts';
import { everyRegisters, F16, KERNEL_GROUPS, type Needs } from './support/kernelGroups.ts';

const FEATURES: Readonly<Record<Needs, readonly GPUFeatureName[]>> = {
  nothing: [],
  subgroups: ['subgroups'],
};

/** A device that compiles what needs no more than this, and runs nothing; held for the life of the process, as Dawn needs it. */
async function validator(needs: Needs): Promise<GqaDevice> {
  const adapter = await (await validatorGpu()).requestAdapter();
  if (!adapter) throw new Error('the null backend gave no adapter');
  const device = await adapter.requestDevice({ requiredFeatures: [...FEATURES[needs]] });
  held.push(adapter, device);
  return borrowDevice(device);
}

const holder = globalThis as { [key: symbol]: object[] | undefined };
const held = (holder[Symbol.for('gqa-webgpu.validators')] ??= []);

/**
 * What other compilers than Dawn's trip over in the linked text: naga takes an assertion that begins with a parenthesis for
 * a call, and old versions keep the value of a variable that has no initialiser from one round of a loop to the next.
 */
function unportable({ name, source }: Kernel): string[] {
  const code = withoutComments(source);
  return [
    ...uninitialisedVariables(source).map((variable) => `${name}: ${variable} has no initialiser`),
    ...(code.match(/\bconst_assert\s*\(.*/g) ?? []).map((line) => `${name}: ${line}`),
  ];
}

/** What the compiler and `unportable` say of the kernels, with each one's name and line. */
async function findings(device: GqaDevice, kernels: readonly Kernel[]): Promise<string[]> {
  const all = await Promise.all(kernels.map((kernel) => pipelineMessages(device, kernel)));
  return [...kernels.flatMap(unportable), ...all.flat()];
}

const bare = await validator('nothing');
const full = await validator('subgroups');
const validators = {
  nothing: bare,
  subgroups: full,
};

describe('every kernel compiles without a warning', () => {
  test.each(KERNEL_GROUPS.map((group) => [group.name, group] as const))('%s', async (_, group) => {
    expect(await findings(validators[group.needs], group.kernels())).toEqual([]);
  });

  test('every shader is among them, and every size of decode_registers makes another text', () => {
    const names = KERNEL_GROUPS.flatMap(({ kernels }) => kernels().map(({ name }) => `${name}.wgsl`));
    const files = readdirSync(new URL('../shaders', import.meta.url), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.wgsl') && !file.startsWith('lib'))
      .map((file) => basename(file));
    expect([...new Set(names)].toSorted()).toEqual(files.toSorted());
    const texts = everyRegisters(GPUS).map(({ kernel }) => kernel.source);
    expect(new Set(texts).size).toBe(texts.length);
  });
});

describe('lint', () => {
  test('a forgotten lib is an unresolved name, one linked twice a redeclaration', async () => {
    const shape = checkShape({ numQHeads: 4, numKvHeads: 1, headDim: 64 });
    const { name, source } = plainScores(shape, F16, F32_ROWS);
    const lib = source.slice(source.indexOf('// lib numbers'), source.indexOf('// lib rows'));
    expect(lib).toContain('fn kept_score');
    expect(await findings(bare, [{ name, source: source.replace(lib, '') }])).toEqual([
      expect.stringContaining("unresolved call target 'kept_score'"),
    ]);
    expect((await findings(bare, [{ name, source: source + lib }]))[0]).toContain('redeclaration');
  });

  test('sizes that do not fit each other are refused by the shaders themselves', async () => {
    const shape = checkShape({ numQHeads: 4, numKvHeads: 1, headDim: 64 });
    const registers = {
      template: 'registers',
      wgSize: 32,
      lanes: 8,
      tokens: 2,
      teamRows: 4,
      blocks: 1,
      q: 'registers',
      code: 'gpu',
    } as const;
    const tiles = { template: 'tiles', wgSize: 16, tile: 32, rowBlock: 4, mixWords: 1 } as const;
    for (const variant of [
      { ...registers, wgSize: 36 },
      { ...registers, blocks: 3 },
      { ...tiles, tile: 20 },
    ]) {
      const said = await findings(full, [fusedKernel(shape, F16, variant, F32_ROWS)]);
      expect(said, JSON.stringify(variant)).toEqual([expect.stringContaining('const assertion failed')]);
    }
  });

  test('finds what other compilers refuse or read otherwise', async () => {
    const source =
      'const_assert (1u & 2u) == 0u;\n@compute @workgroup_size(1) fn main() { for (var i = 0u; i < 2u; i++) { var x: u32; x += i; } }';
    expect(await findings(bare, [{ name: 'sample', source }])).toEqual([
      'sample: x has no initialiser',
      'sample: const_assert (1u & 2u) == 0u;',
    ]);
  });

  const twoLines = (body: string): Kernel => ({
    name: 'sample',
    source: `@compute @workgroup_size(1)\nfn main() { ${body} }`,
  });

  test('finds errors and warnings', async () => {
    expect(await findings(bare, [twoLines('let x: u32 = 1f;')])).toEqual([
      expect.stringMatching(/^sample:2:\d+: error: /),
    ]);
    expect(await findings(bare, [twoLines('return; let x = 1u;')])).toEqual([
      expect.stringMatching(/^sample:2:\d+: warning: .*unreachable/),
    ]);
    expect(await findings(bare, [{ name: 'sample', source: 'enable subgroups;' }])).toHaveLength(1);
    const tooMuch = {
      name: 'sample',
      source: 'var<workgroup> big: array<u32, 9000>;\n@compute @workgroup_size(1) fn main() { big[0] = 1u; }',
    };
    expect(await findings(bare, [tooMuch])).toEqual([expect.stringContaining('workgroup')]);
  });
});
