// naga.test.ts: every shader the project can link, through naga, the compiler of wgpu, as Deno and Firefox have it.
//
// naga does not know `enable subgroups` yet, though it knows the functions: kernels on subgroups are read without that line,
// as far as the feature that Deno's WebGPU lacks, and compiled whole with emulated subgroups.
import { afterAll, describe, expect, test } from 'vitest';
import { openDevice } from '../../src/device/gqaDevice.ts';
import type { Kernel } from '../../src/kernels/kernel.ts';
import { nodeGpu } from '../../src/node.ts';
import { compilerMessages } from '../support/compilerMessages.ts';
import { GPUS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';
import { F16, KERNEL_GROUPS, pairedSizes, type Needs } from '../support/kernelGroups.ts';
import { emulatedProbe, emulatedRegisters } from '../support/subgroupEmulation.ts';

const { gpu, webgpu } = await nodeGpu();
const device = await openDevice(gpu, { descriptor: () => ({ label: 'naga' }) });

const counts: Record<Needs, number> = { nothing: 0, subgroups: 0 };

afterAll(() => {
  device.destroy();
  process.stdout.write(
    `naga: ${counts.nothing} shaders compiled; ${counts.subgroups} on subgroups read as far as that feature\n`,
  );
});

const says = async (kernels: readonly Kernel[]): Promise<string[]> =>
  (await Promise.all(kernels.map((kernel) => compilerMessages(device.gpu, kernel)))).flat();

const ENABLE = 'enable subgroups; ';

/** Without the lines for features that other compilers want named. */
const unnamed = ({ name, source }: Kernel): Kernel => ({
  name,
  source: source.replace(/^(enable (subgroups|f16); )*/, ''),
});

const groups = (needs: Needs) =>
  KERNEL_GROUPS.filter((group) => group.needs === needs).map((group) => [group.name, group] as const);

test("this is Deno's own WebGPU", () => {
  expect(webgpu).toBe('wgpu');
});

describe('naga compiles', () => {
  test.each(groups('nothing'))('%s', async (_, { kernels }) => {
    const linked = kernels();
    counts.nothing += linked.length;
    expect(await says(linked)).toEqual([]);
  });

  test('decode_registers and subgroup_probe on emulated subgroups', async () => {
    const registers = pairedSizes([...GPUS, SOFTWARE_FACTS]).map(({ shape, variant }) =>
      emulatedRegisters(shape, F16, variant),
    );
    expect(await says([...registers, emulatedProbe({ wgSize: 64, lanes: 4 })])).toEqual([]);
  });
});

describe('naga reads as far as the missing feature', () => {
  test.each(groups('subgroups'))('%s', async (_, { kernels }) => {
    const linked = kernels();
    counts.subgroups += linked.length;
    expect(linked.filter(({ source }) => !source.startsWith(ENABLE))).toEqual([]);
    const said = await says(linked.map(unnamed));
    expect(said).toHaveLength(linked.length);
    expect(said.filter((message) => !/Capabilit.*SUBGROUP/.test(message))).toEqual([]);
  });
});

describe('naga does not know', () => {
  test('`enable subgroups`', async () => {
    const [kernel] = groups('subgroups')[0]![1].kernels();
    expect(await says([kernel!])).toEqual([
      expect.stringContaining('`subgroups` enable-extension is not yet'),
    ]);
  });
});

describe('this check finds', () => {
  test.each([
    ['an assertion that begins with a parenthesis', 'const_assert (1u & 1u) == 1u;\n'],
    ['a wrong type', 'fn f() -> f32 { return 1u; }\n'],
  ])('%s', async (_, line) => {
    const source = `${line}@compute @workgroup_size(1) fn main() {}`;
    expect(await says([{ name: 'sample', source }])).toEqual([
      expect.stringMatching(/^sample:1:\d+: error: /),
    ]);
  });

  test('a wrong type behind a subgroup function', async () => {
    const source = '@compute @workgroup_size(1) fn main() {\nvar x = subgroupMax(1.0);\nlet y: u32 = 1.0; }';
    const [said] = await says([{ name: 'sample', source }]);
    expect(said).toMatch(/^sample:3:\d+: error: /);
    expect(said).not.toMatch(/Capabilit.*SUBGROUP/);
  });
});
