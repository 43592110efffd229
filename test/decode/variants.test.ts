// variants.test.ts: kernels that this machine would not choose by itself: the plain one, the other template, and the sizes
// that GPUs get, which a software adapter runs all the same; and which of them a decoder takes.
import { describe, expect, test } from 'vitest';
import { type ProblemOptions, shapeOf } from '../../src/reference/problem.ts';
import { createDecoder, createKvCache, type DecoderOptions } from '../../src/index.ts';
import { chooseRegisters, hasRegisters } from '../../src/kernels/registersSizes.ts';
import { chooseTiles } from '../../src/kernels/decodeTiles.ts';
import { chooseFused } from '../../src/kernels/fused.ts';
import { expectRight } from '../support/attend.ts';
import { testDevice } from '../support/device.ts';
import { GPU_FACTS, withSubgroups } from '../support/deviceFacts.ts';
import { TEMPLATES } from '../support/kernels.ts';

const device = await testDevice();

const control = { numQHeads: 8, numKvHeads: 2, headDim: 64, batch: 2, kvLens: [290, 77] };
const f16InThree = { ...control, headDim: 80, kType: 'f16', qLen: 3 } as const;

describe('plain kernel', () => {
  test.each<[string, ProblemOptions]>([
    ['control', control],
    ['other lengths', { ...control, batch: 4, kvLens: [0, 64, 65, 200], capacity: 333 }],
    ['nothing at all', { ...control, kvLens: [0, 0], capacity: 9 }],
    ['other heads, same group', { ...control, numQHeads: 12, numKvHeads: 3 }],
    ['f16, D 80, causal', f16InThree],
    ['f16, D 80, over fewer keys than positions', { ...f16InThree, batch: 4, kvLens: [1, 2, 0, 66] }],
    [
      'MHA, not causal, V f16',
      { ...control, numKvHeads: 8, qLen: 2, causal: false, kType: 'f32', vType: 'f16' },
    ],
    ['bf16', { ...control, kType: 'bf16' }],
    ['int8', { ...control, kType: 'int8', capacity: 291 }],
    ['int4, D 80', { ...control, kType: 'int4', headDim: 80 }],
    ['K int4, V int8', { ...control, kType: 'int4', vType: 'int8' }],
  ])('%s', async (_name, problem) => {
    await expectRight(problem, { kernel: 'plain' });
  });
});

describe('a decoder takes', () => {
  async function contextOf(options: Partial<DecoderOptions>) {
    const cache = await createKvCache(device, {
      numKvHeads: control.numKvHeads,
      headDim: control.headDim,
      capacity: 4,
    });
    const decoder = await createDecoder(device, { numQHeads: control.numQHeads, cache, ...options });
    const { context } = decoder;
    decoder.destroy();
    cache.destroy();
    return context;
  }

  test('the template that suits the device, by default and as auto', async () => {
    const chosen = chooseFused(shapeOf(control), { kType: 'f32', vType: 'f32' }, device.facts);
    for (const options of [{}, { kernel: 'auto' }] as const) {
      const { kernel, variant } = await contextOf(options);
      expect({ kernel, variant }).toEqual({ kernel: chosen.template, variant: chosen });
    }
  });

  test.each(TEMPLATES)('%s when asked', async (kernel) => {
    const context = await contextOf({ kernel });
    expect([context.kernel, context.variant.template]).toEqual([kernel, kernel]);
  });

  test('plain when asked, and then still plans with what auto would take', async () => {
    const chosen = chooseFused(shapeOf(control), { kType: 'f32', vType: 'f32' }, device.facts);
    expect(await contextOf({ kernel: 'plain' })).toMatchObject({ kernel: 'plain', variant: chosen });
  });

  test('a variant as it is given, whatever kernel is asked for beside it', async () => {
    const variant = { template: 'tiles', wgSize: 16, tile: 16, rowBlock: 3, mixWords: 1 } as const;
    expect(await contextOf({ variant })).toMatchObject({ kernel: 'tiles', variant });
  });

  test('what was tuned, with its slots, as long as no other template is asked for', async () => {
    const variant = { template: 'tiles', wgSize: 32, tile: 32, rowBlock: 2, mixWords: 1 } as const;
    const tuned = { variant, slots: 77 };
    expect(await contextOf({ tuned })).toMatchObject({ kernel: 'tiles', variant, slots: 77 });
    expect(await contextOf({ tuned, kernel: 'tiles' })).toMatchObject({ variant, slots: 77 });
    if (!TEMPLATES.includes('registers')) return;
    const other = await contextOf({ tuned, kernel: 'registers' });
    expect(other.variant).toEqual(
      chooseRegisters(shapeOf(control), { kType: 'f32', vType: 'f32' }, device.facts),
    );
  });
});

describe('the template this device does not choose', () => {
  const chosen = chooseFused(shapeOf(control), { kType: 'f32', vType: 'f32' }, device.facts).template;

  test.each(TEMPLATES.filter((kernel) => kernel !== chosen))('%s', async (kernel) => {
    await expectRight(control, { kernel });
    await expectRight({ ...control, batch: 3, kvLens: [0, 64, 300], capacity: 301 }, { kernel });
  });
});

describe('sizes for GPUs', () => {
  // All sizes: kernels/decodeTiles.test.ts and kernels/decodeRegisters.test.ts.
  const problem = { ...control, numQHeads: 4, headDim: 80, kType: 'f16', kvLens: [150, 65] } as const;
  const cache = { kType: 'f16', vType: 'f16' } as const;

  test('tiles, with invocations left over', async () => {
    const variant = chooseTiles(shapeOf(problem), cache, GPU_FACTS);
    await expectRight(problem, { variant, numSplits: 2 });
  });

  test.runIf(hasRegisters(device.facts))('registers, several runs', async () => {
    const facts = withSubgroups(GPU_FACTS, device.facts.subgroupMinSize);
    const variant = chooseRegisters(shapeOf(problem), cache, facts);
    await expectRight(problem, { variant, numSplits: 2 });
  });
});
