// wgsl.test.ts: linking shader text and reading bindings back out of it.
import { describe, expect, test } from 'vitest';
import { ShaderError } from '../../src/device/errors.ts';
import { bindingsOf, link, qualified } from '../../src/device/wgsl.ts';
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

describe('link and marked loops', () => {
  test('a bound may be a constant of the kernel, of the host, or of a lib', () => {
    const linked = link({
      kernel: 'fn f() { for (var i = 0u; i < HOST; i++) { // unroll\ng(i);\n} }\n',
      libs: ['const OWN = 1u;\nfn h() { for (var i = 0u; i < OWN; i++) { // unroll\ng(i);\n} }'],
      consts: { HOST: 2 },
    });
    expect(linked.replace(/\s+/g, '')).toBe(
      'fnf(){{g(0u);}{g(1u);}}constHOST=2u;constOWN=1u;fnh(){{g(0u);}}',
    );
  });

  test('a bound that nobody gives is an error, not a loop', () => {
    const kernel = 'fn f() { for (var i = 0u; i < MISSING; i++) { // unroll\n} }';
    expect(() => link({ kernel, libs: [], consts: {} })).toThrow(
      'unroll: MISSING is not a constant with a literal value',
    );
  });
});

describe('qualified', () => {
  const lib = `// lib sample: load reads rows of ROW_WORDS words.
const ROW_WORDS = HEAD_DIM / 4u;
var<workgroup> sums: array<f32, ROW_WORDS>;

fn load(row: u32) -> f32 {
  return first_of(row) + cache[row * ROW_WORDS];
}

fn first_of(row: u32) -> f32 {
  let load_factor = sums[row];
  return load_factor * f32(HEAD_DIM);
}
`;

  test('everything a lib declares gets the prefix, constants in capitals, wherever it is used', () => {
    expect(qualified('k', lib, ['cache'])).toBe(`// lib sample: k_load reads rows of K_ROW_WORDS words.
const K_ROW_WORDS = HEAD_DIM / 4u;
var<workgroup> k_sums: array<f32, K_ROW_WORDS>;

fn k_load(row: u32) -> f32 {
  return k_first_of(row) + k_cache[row * K_ROW_WORDS];
}

fn k_first_of(row: u32) -> f32 {
  let load_factor = k_sums[row];
  return load_factor * f32(HEAD_DIM);
}
`);
  });

  test('words that it does not declare stay, unless they are named', () => {
    expect(qualified('v', lib)).toContain('cache[row * V_ROW_WORDS]');
    expect(qualified('v', lib)).toContain('f32(HEAD_DIM)');
    expect(qualified('v', lib, ['HEAD_DIM'])).toContain('f32(V_HEAD_DIM)');
  });

  test('twice under two prefixes it links, declared in one module', async () => {
    const device = await testDevice();
    const source = link({
      kernel: `@group(0) @binding(0) var<storage, read> k_cache: array<f32>;
@group(0) @binding(1) var<storage, read> v_cache: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(1) fn main() { out[0] = k_load(0u) - v_load(0u); }`,
      libs: [qualified('k', lib, ['cache']), qualified('v', lib, ['cache'])],
      consts: { HEAD_DIM: 64 },
    });
    const { bindings } = await device.pipelines.get({ name: 'twice', source });
    expect(bindings.map(({ name }) => name)).toEqual(['k_cache', 'v_cache', 'out']);
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
