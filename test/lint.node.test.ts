// lint.node.test.ts: every shader the project can link, through Dawn's null backend: no error, no warning, a pipeline.
import { describe, expect, test } from 'vitest';
import { borrowDevice, type DeviceFacts, type GqaDevice } from '../src/device/gqaDevice.ts';
import { appendKv } from '../src/kernels/appendKv.ts';
import { decodeMerge, mergeFinished } from '../src/kernels/decodeMerge.ts';
import {
  checkSplitVariant,
  chooseSplitVariant,
  decodeSplit,
  type Reduce,
} from '../src/kernels/decodeSplit.ts';
import { KV_TYPES } from '../src/kernels/elements.ts';
import type { Kernel } from '../src/kernels/kernel.ts';
import { plainMix, plainScores, plainSoftmax } from '../src/kernels/plain.ts';
import { readStream } from '../src/kernels/readStream.ts';
import { checkShape, type GqaShape, HEAD_DIMS } from '../src/kernels/shape.ts';
import { validatorGpu } from '../src/node.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from './support/deviceFacts.ts';

const GROUP_SIZES = [1, 3, 4, 8, 16, 32, 71];

const FORMATS = KV_TYPES.flatMap((kType) => KV_TYPES.map((vType) => ({ kType, vType })));

function shapesOf(headDim: number): GqaShape[] {
  const causal = GROUP_SIZES.flatMap((numQHeads) =>
    [1, 5].map((qLen) => checkShape({ numQHeads, numKvHeads: 1, headDim, qLen })),
  );
  return [...causal, checkShape({ numQHeads: 4, numKvHeads: 1, headDim, qLen: 3, causal: false })];
}

/** All of decode_split for a shape, in the sizes that are chosen for such a device. */
function splitKernels(shape: GqaShape, facts: DeviceFacts, reduce: Reduce): Kernel[] {
  const variant = chooseSplitVariant(shape, facts, reduce);
  if (reduce === 'subgroup' && variant.tile < variant.wgSize) return []; // refused by a const_assert, see below
  checkSplitVariant(variant, shape.headDim, facts);
  return FORMATS.flatMap((format) =>
    (['partial', 'final'] as const).map((output) => decodeSplit(shape, format, variant, output)),
  );
}

function otherKernels(shape: GqaShape): Kernel[] {
  const perFormat = FORMATS.flatMap((format) => [
    plainScores(shape, format),
    plainMix(shape, format),
    appendKv(shape.headDim, format),
  ]);
  return [...perFormat, plainSoftmax(shape), decodeMerge(shape), mergeFinished(shape.headDim, shape.rows, 2)];
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

/** What the compiler says of each distinct kernel, with the kernel's name and line. */
async function findings(device: GqaDevice, kernels: readonly Kernel[]): Promise<string[]> {
  const distinct = [...new Map(kernels.map((kernel) => [kernel.source, kernel])).values()];
  const all = await Promise.all(distinct.map((kernel) => lint(device, kernel)));
  return all.flat();
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
  const shapes = shapesOf(headDim);

  test.each([
    ['GPU', GPU_FACTS],
    ['CPU', SOFTWARE_FACTS],
  ])('decode_split in sizes for a %s, without any feature', async (_, facts) => {
    const kernels = shapes.flatMap((shape) => splitKernels(shape, facts, 'workgroup'));
    expect(kernels.length).toBe(shapes.length * 8);
    expect(await findings(bare, kernels)).toEqual([]);
  });

  test.each([
    ['GPU', GPU_FACTS],
    ['CPU', SOFTWARE_FACTS],
  ])('decode_split in sizes for a %s, with subgroups', async (_, facts) => {
    const kernels = shapes.flatMap((shape) => splitKernels(shape, facts, 'subgroup'));
    expect(kernels.length).toBeGreaterThan(0);
    expect(await findings(full, kernels)).toEqual([]);
  });

  test('all other kernels', async () => {
    expect(await findings(bare, shapes.flatMap(otherKernels))).toEqual([]);
  });
});

describe('lint', () => {
  test('read_stream', async () => {
    const kernels = [64, 256].flatMap((wgSize) =>
      [16, 1 << 20, 1 << 30].map((bytes) => readStream(bytes, wgSize)),
    );
    expect(await findings(bare, kernels)).toEqual([]);
  });

  test('a subgroup needs all invocations on the same rows: the shader refuses other sizes', async () => {
    const shape = checkShape({ numQHeads: 32, numKvHeads: 1, headDim: 64 });
    const variant = chooseSplitVariant(shape, GPU_FACTS, 'subgroup');
    const kernel = decodeSplit(shape, { kType: 'f32', vType: 'f32' }, variant, 'final');
    expect(await findings(full, [kernel])).toEqual([expect.stringContaining('const assertion failed')]);
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
