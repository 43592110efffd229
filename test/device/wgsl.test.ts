// wgsl.test.ts: linking shader text and reading bindings back out of it.
import { describe, expect, test } from 'vitest';
import { ShaderError } from '../../src/device/errors.ts';
import { bindingsOf, link } from '../../src/device/wgsl.ts';
import { testDevice } from '../support/device.ts';

describe('link', () => {
  test('joins directives, kernel, constants and libs in this order', () => {
    const linked = link({
      kernel: '// kernel\nfn main() {}',
      libs: ['// lib one', '// lib two'],
      consts: { TILE: 32, CAUSAL: true },
      enables: ['subgroups', 'f16'],
    });
    expect(linked).toBe(
      'enable subgroups; enable f16; // kernel\nfn main() {}\nconst TILE = 32u;\nconst CAUSAL = true;\n// lib one\n// lib two',
    );
  });

  test('without directives the kernel comes first', () => {
    expect(link({ kernel: 'a', libs: [], consts: { OFF: false, ZERO: 0 } })).toBe(
      'a\nconst OFF = false;\nconst ZERO = 0u;',
    );
  });

  test.each([0.5, -1, NaN, Infinity])('refuses the constant %d', (value) => {
    expect(() => link({ kernel: '', libs: [], consts: { TILE: value } })).toThrow(
      `const TILE: expected a whole number, got ${value}`,
    );
  });

  test("a compiler's line is the kernel file's line", async () => {
    const device = await testDevice();
    const kernel = '// line 1\n@compute @workgroup_size(N)\nfn main() {\n  let x = no_such_name;\n}';
    const enables = device.facts.subgroups ? ['subgroups'] : [];
    const source = link({ kernel, libs: ['const UNUSED = 1u;'], consts: { N: 1 }, enables });
    const compiling = device.pipelines.get({ name: 'broken', source });
    await expect(compiling).rejects.toThrow(ShaderError);
    await expect(compiling).rejects.toThrow(/^broken: line 4:11: .*no_such_name/);
  });
});

describe('bindingsOf', () => {
  test('reads index, name and access, in the order of indices', () => {
    const source = `
      @group(0) @binding(3) var<storage, read_write> out: array<f32>;
      @group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
      @group(0)
      @binding(12) var<storage,read> step : Step;
      var<workgroup> shared_sum: array<f32, 64>;`;
    expect(bindingsOf(source)).toEqual([
      { index: 0, name: 'q', access: 'read' },
      { index: 3, name: 'out', access: 'read_write' },
      { index: 12, name: 'step', access: 'read' },
    ]);
  });

  test('a module without bindings has none', () => expect(bindingsOf('fn main() {}')).toEqual([]));
});
