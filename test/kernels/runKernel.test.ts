// runKernel.test.ts: the guards of the kernel tests themselves: strays show, mistakes throw.
import { describe, expect, test } from 'vitest';
import { testDevice } from '../support/device.ts';
import { expectWithinRule, withoutFloor } from '../support/errorRule.ts';
import { runKernel, SENTINEL, unwritten } from '../support/runKernel.ts';

const device = await testDevice();

/** Copies `source` to `target`, invocation i doing `body`. */
function copyKernel(body: string) {
  const source = `@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> target_: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) { ${body} }`;
  return { name: 'copy', source };
}

const copy = (body: string, outputs: Record<string, Float32Array<ArrayBuffer>> = { target_: unwritten(4) }) =>
  runKernel(device, {
    kernel: copyKernel(body),
    grid: [1, 1, 1],
    inputs: { source: Float32Array.of(1, 2, 3, 4) },
    outputs,
  });

describe('runKernel', () => {
  test('gives what the kernel wrote, and the sentinel where it wrote nothing', async () => {
    const { target_ } = await copy('if i != 2u { target_[i] = source[i]; }');
    expect(target_).toEqual(Float32Array.of(1, 2, SENTINEL, 4));
  });

  test('a read behind an input gives NaN', async () => {
    const { target_ } = await copy('target_[i] = source[i + 1u];');
    expect(target_).toEqual(Float32Array.of(2, 3, 4, NaN));
  });

  test('a write behind an output throws', async () => {
    await expect(copy('target_[i + 1u] = source[i];')).rejects.toThrow(
      'copy: target_: byte 0 behind its end was written',
    );
    await expect(copy('target_[i + 9u] = 0.0;')).rejects.toThrow(
      'copy: target_: byte 20 behind its end was written',
    );
  });

  test('a binding that is not given, or of the wrong kind, throws', async () => {
    await expect(copy('target_[i] = source[i];', {})).rejects.toThrow(
      'copy: read_write binding target_ is not given',
    );
    const both = { target_: unwritten(4), other: unwritten(4) };
    await expect(copy('target_[i] = source[i];', both)).rejects.toThrow('copy: no binding is called other');
  });
});

describe('expectWithinRule', () => {
  test('allows twice the naive error and 1e-6 of the largest value', () => {
    expectWithinRule('x', [1.002, 10], [1, 10], [1.001, 10]);
    expectWithinRule('x', [1, 10.000009], [1, 10], [1, 10]);
    expect(() => expectWithinRule('x', [1.0021, 10], [1, 10], [1.001, 10])).toThrow(
      'x[0]: expected 1 within',
    );
    expect(() => expectWithinRule('x', [1, 10.00002], [1, 10], [1, 10])).toThrow('x[1]');
  });

  test('NaN, infinities and a different count are failures; an infinite truth must come back', () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      expect(() => expectWithinRule('x', [bad], [1], [1])).toThrow('x[0]');
    }
    expectWithinRule('x', [-Infinity, 1], [-Infinity, 1], [-Infinity, 1]);
    expect(() => expectWithinRule('x', [-1e30, 1], [-Infinity, 1], [-Infinity, 1])).toThrow('x[0]');
    expect(() => expectWithinRule('x', [1], [1, 2], [1, 2])).toThrow('how many');
  });

  test('withoutFloor takes the floor for minus infinity and refuses a real one', () => {
    expect(withoutFloor(Float32Array.of(-3.0e38, 2))).toEqual([-Infinity, 2]);
    expect(() => withoutFloor(Float32Array.of(1, -Infinity))).toThrow('lse[1]');
  });
});
