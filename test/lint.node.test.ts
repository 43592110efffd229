// lint.node.test.ts: every shader the project can link, through Dawn's null backend: no error, no warning, a pipeline.
import { describe, expect, test } from 'vitest';
import { borrowDevice, type DeviceFacts, type GqaDevice } from '../src/device/gqaDevice.ts';
import { appendKv } from '../src/kernels/appendKv.ts';
import { decodeMerge, mergeFinished } from '../src/kernels/decodeMerge.ts';
import { decodeRegisters, registersWorkgroupBytes } from '../src/kernels/decodeRegisters.ts';
import { KV_TYPES } from '../src/numbers/elements.ts';
import { checkVariant, chooseIn, fusedKernel } from '../src/kernels/fused.ts';
import type { Kernel } from '../src/kernels/kernel.ts';
import type { CacheFormat } from '../src/kernels/lib.ts';
import { plainMix, plainScores, plainSoftmax } from '../src/kernels/plain.ts';
import { readStream } from '../src/kernels/probe/readStream.ts';
import { checkShape, type GqaShape, HEAD_DIMS } from '../src/kernels/shape.ts';
import { subgroupProbe } from '../src/kernels/probe/subgroupProbe.ts';
import { validatorGpu } from '../src/node/nodeGpu.ts';
import { GPU_FACTS, GPUS, SOFTWARE_FACTS, SUBGROUP_SIZES, withSubgroups } from './support/deviceFacts.ts';
import { uninitialisedVariables, withoutComments } from './support/conventions.ts';
import { chosenRegisters } from './support/registersSizes.ts';

/** Every type of K with every type of V. */
const FORMATS: readonly CacheFormat[] = KV_TYPES.flatMap((kType) =>
  KV_TYPES.map((vType) => ({ kType, vType })),
);

const F16: CacheFormat = { kType: 'f16', vType: 'f16' };

/** Groups of every size in f16, with several positions too; one group in every format. */
function problemsOf(headDim: number): [GqaShape, CacheFormat][] {
  const shapes = [
    ...[1, 3, 4, 8, 16, 32, 71].map((numQHeads) => ({ numQHeads })),
    ...[1, 4, 71].map((numQHeads) => ({ numQHeads, qLen: 5 })),
    { numQHeads: 4, qLen: 3, causal: false },
  ].map((options) => checkShape({ ...options, numKvHeads: 1, headDim }));
  return [
    ...shapes.map((shape): [GqaShape, CacheFormat] => [shape, F16]),
    ...FORMATS.map((format): [GqaShape, CacheFormat] => [shapes[1]!, format]),
  ];
}

/** A template in the sizes that are chosen for such a device. */
function fusedKernels(template: 'registers' | 'tiles', headDim: number, facts: DeviceFacts): Kernel[] {
  return problemsOf(headDim).flatMap(([shape, format]) => {
    const variant = chooseIn(template, shape, format, facts);
    checkVariant(shape, format, variant, facts);
    return [true, false].map((lse) => fusedKernel(shape, format, variant, lse));
  });
}

function otherKernels(headDim: number): Kernel[] {
  return problemsOf(headDim).flatMap(([shape, format]) => [
    plainScores(shape, format),
    plainMix(shape, format),
    appendKv(headDim, format),
    ...[true, false].flatMap((lse) => [
      plainSoftmax(shape, lse),
      decodeMerge(shape, 1, lse),
      decodeMerge(shape, 4, lse),
    ]),
    mergeFinished(headDim, shape.rows, 2),
  ]);
}

/** A device that compiles everything and runs nothing; held for the life of the process, as Dawn needs it. */
async function validator(features: 'all' | 'none'): Promise<GqaDevice> {
  const adapter = await (await validatorGpu()).requestAdapter();
  if (!adapter) throw new Error('the null backend gave no adapter');
  const requiredFeatures = features === 'all' ? ([...adapter.features] as GPUFeatureName[]) : [];
  const device = await adapter.requestDevice({ requiredFeatures });
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

/** What the compiler and `unportable` say of each distinct kernel, with the kernel's name and line. */
async function findings(device: GqaDevice, kernels: readonly Kernel[]): Promise<string[]> {
  const distinct = [...new Map(kernels.map((kernel) => [kernel.source, kernel])).values()];
  const all = await Promise.all(distinct.map((kernel) => lint(device, kernel)));
  return [...distinct.flatMap(unportable), ...all.flat()];
}

async function lint(device: GqaDevice, kernel: Kernel): Promise<string[]> {
  device.device.pushErrorScope('validation');
  const module = device.device.createShaderModule({ label: kernel.name, code: kernel.source });
  const scope = device.device.popErrorScope();
  const { messages } = await module.getCompilationInfo();
  await scope; // its message is among those of the compiler
  const said = messages.map((m) => `${kernel.name}:${m.lineNum}:${m.linePos}: ${m.type}: ${m.message}`);
  if (said.length > 0) return said;
  return device.pipelines.get(kernel).then(
    () => [],
    (error: unknown) => [String(error)],
  );
}

const bare = await validator('none');
const full = await validator('all');

describe.each(HEAD_DIMS)('head dim %i', (headDim) => {
  test.each([
    ['GPU', GPU_FACTS],
    ['CPU', SOFTWARE_FACTS],
    ['CPU with subgroups of four', withSubgroups(SOFTWARE_FACTS, 4)],
  ])('decode_tiles in sizes for a %s, without any feature', async (_, facts) => {
    expect(await findings(bare, fusedKernels('tiles', headDim, facts))).toEqual([]);
  });

  test.each([
    ['GPU', GPU_FACTS],
    ['CPU', SOFTWARE_FACTS],
  ])('decode_registers in sizes for a %s, with subgroups', async (_, facts) => {
    expect(await findings(full, fusedKernels('registers', headDim, facts))).toEqual([]);
  });

  test('all other kernels, without any feature', async () => {
    expect(await findings(bare, otherKernels(headDim))).toEqual([]);
  });
});

// Head dims and element types: above.
describe('decode_registers in every combination of lanes, tokens, rows and blocks that is ever chosen', () => {
  test.each([
    ['GPUs', GPUS],
    ['CPUs', [SOFTWARE_FACTS]],
  ])('for %s', async (_, devices) => {
    const facts = devices.flatMap((device) => SUBGROUP_SIZES.map((size) => withSubgroups(device, size)));
    const variants = chosenRegisters(facts);
    const kernels = variants.map((variant) => {
      // 128 halves are 16 words; more lanes than that want more words. One row short of full teams.
      const shape = checkShape({
        numQHeads: Math.max(1, variant.teamRows * variant.blocks - 1),
        numKvHeads: 1,
        headDim: variant.lanes > 16 ? 256 : 128,
      });
      // Sizes of smaller rows may need more workgroup memory here than a device has: then those rows themselves.
      const small = registersWorkgroupBytes(shape, F16, variant) > GPU_FACTS.maxWorkgroupStorage;
      return decodeRegisters(small ? { ...shape, headDim: 64 } : shape, F16, variant, true);
    });
    expect(new Set(kernels.map(({ source }) => source)).size).toBe(variants.length);
    expect(await findings(full, kernels)).toEqual([]);
  });
});

describe('lint', () => {
  test('read_stream', async () => {
    const kernels = [64, 256].flatMap((wgSize) =>
      [16, 1 << 20, 1 << 30].map((bytes) => readStream(bytes, wgSize)),
    );
    expect(await findings(bare, kernels)).toEqual([]);
  });

  test('subgroup_probe, with subgroups', async () => {
    const kernels = [4, 64, 256].flatMap((wgSize) => [2, 4].map((lanes) => subgroupProbe({ wgSize, lanes })));
    expect(await findings(full, kernels)).toEqual([]);
  });

  test('a forgotten lib is an unresolved name, one linked twice a redeclaration', async () => {
    const shape = checkShape({ numQHeads: 4, numKvHeads: 1, headDim: 64 });
    const { name, source } = plainScores(shape, F16);
    const lib = source.slice(source.indexOf('// lib numbers'), source.indexOf('// lib elements'));
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
    } as const;
    const tiles = { template: 'tiles', wgSize: 16, tile: 32, rowBlock: 4, mixWords: 1 } as const;
    for (const variant of [
      { ...registers, wgSize: 36 },
      { ...registers, blocks: 3 },
      { ...tiles, wgSize: 32, tile: 24 },
    ]) {
      const said = await findings(full, [fusedKernel(shape, F16, variant, true)]);
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
