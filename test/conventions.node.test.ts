// conventions.node.test.ts: what no compiler checks: layers, hosts, headers, spellings, and numbers written twice.
import { describe, expect, test } from 'vitest';
import { globals } from 'webgpu';
import { ENTRIES } from '../scripts/entries.ts';
import { LSE_EMPTY } from '../src/numbers/lse.ts';
import { BUFFER_USAGE, MAP_MODE, SHADER_STAGE } from '../src/device/usage.ts';
import { bindingsOf } from '../src/device/wgsl.ts';
import { KV_TYPES } from '../src/numbers/elements.ts';
import { SCORE_MAX } from '../src/reference/attention.ts';
import {
  badBindings,
  badBounds,
  badUnrolls,
  barredImports,
  circles,
  declaredNames,
  forbiddenNames,
  importsOf,
  reachable,
  type Sources,
  uninitialisedVariables,
  withoutComments,
} from './support/conventions.ts';

/** Texts by path from the repository's root. */
function sources(found: Record<string, string>): Sources {
  return new Map(
    Object.entries(found).map(([path, text]) => [path.replace('../', '').replace('./', 'test/'), text]),
  );
}

const shaders = sources(
  import.meta.glob<string>('../shaders/**/*.wgsl', { query: '?raw', import: 'default', eager: true }),
);
const src = sources(
  import.meta.glob<string>('../src/**/*.{ts,js}', { query: '?raw', import: 'default', eager: true }),
);
const bench = sources(
  import.meta.glob<string>('../bench/**/*.{ts,js,mjs}', { query: '?raw', import: 'default', eager: true }),
);
const programs = sources({
  ...import.meta.glob<string>('../cli/**/*.ts', { query: '?raw', import: 'default', eager: true }),
  ...import.meta.glob<string>('../page/**/*.ts', { query: '?raw', import: 'default', eager: true }),
  ...import.meta.glob<string>('../scripts/**/*.{ts,mjs}', { query: '?raw', import: 'default', eager: true }),
});
const shipped = new Map([...src, ...bench, ...programs]);
const examples = sources(
  import.meta.glob<string>('../examples/*.mjs', { query: '?raw', import: 'default', eager: true }),
);
const tests = sources(
  import.meta.glob<string>('./**/*.ts', { query: '?raw', import: 'default', eager: true }),
);

const kernelShaders = [...shaders].filter(([path]) => !path.startsWith('shaders/lib/'));
const libs = [...shaders].filter(([path]) => path.startsWith('shaders/lib/'));
const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
const nameOf = (path: string) => path.replace(/^.*\/|\.\w+$/g, '');

test('there is something to check', () => {
  expect([kernelShaders.length, libs.length, src.size, bench.size, tests.size].every((n) => n > 5)).toBe(
    true,
  );
});

describe('shaders', () => {
  test.each(kernelShaders)('%s has a header: what it is, in, out, grid, consts', (path, text) => {
    const header = text.slice(0, text.indexOf('\n\n'));
    expect(header).toMatch(new RegExp(`^// ${nameOf(path)}\\.wgsl: \\S`));
    for (const line of ['in', 'out', 'grid', 'consts'])
      expect(header).toMatch(new RegExp(`^// ${line} +\\S`, 'm'));
  });

  test.each(libs)('%s has a header', (path, text) => {
    expect(text).toMatch(new RegExp(`^// lib ${nameOf(path)}: \\S`));
  });

  test.each([...shaders])('%s: no tabs, no trailing blanks, one final newline', (_, text) => {
    expect(text).not.toMatch(/\t|[ \r]+$/m);
    expect(text).toMatch(/[^\n]\n$/);
  });

  test.each([...shaders])('%s: every variable of a function has an initialiser', (_, text) => {
    expect(uninitialisedVariables(text)).toEqual([]);
  });

  test.each([...shaders])('%s: bindings have the one spelling that the host reads', (_, text) => {
    expect(badBindings(text)).toEqual([]);
    expect(bindingsOf(text)).toHaveLength(withoutComments(text).split('@binding').length - 1);
  });

  test.each([...shaders])('%s: assertions are whole statements of constants', (_, text) => {
    const assertions = withoutComments(text).match(/^.*const_assert.*$/gm) ?? [];
    for (const line of assertions) {
      // naga reads an opening parenthesis as the whole condition.
      expect(line).toMatch(/^const_assert [^;(\s][^;]*;\s*$/);
      for (const name of line.slice('const_assert'.length).match(/\b[A-Za-z_]\w*/g) ?? [])
        expect(name).toMatch(/^[A-Z]/);
    }
  });

  test.each(kernelShaders)('%s has a kernel file, a twin and a test', (path) => {
    const name = camel(nameOf(path));
    const kernelFiles = [...src].filter(([file, text]) => importsOf(file, text).includes(path));
    expect(kernelFiles.map(([file]) => file)).toHaveLength(1);
    expect([...tests.keys()]).toContain(`test/reference/${name}.ts`);
    expect(
      [...tests.keys()].some((file) =>
        new RegExp(`^test/kernels/((probe|train)/)?${name}\\.test\\.ts$`).test(file),
      ),
    ).toBe(true);
    expect(tests.get(`test/reference/${name}.ts`)).toContain(`twin of ${path}`);
  });

  test.each([...shaders])('%s: loops to unroll have the one spelling that the linker reads', (_, text) => {
    expect(badUnrolls(text)).toEqual([]);
  });

  test.each([...shaders])('%s: loops whose bound Dawn cannot see are marked', (_, text) => {
    expect(badBounds(text)).toEqual([]);
  });

  test.each([...shaders])(
    '%s: subgroup builtins only in libs of their own, which a test can replace',
    (path, text) => {
      const used = withoutComments(text).match(/\bsubgroup[A-Z]\w*|@builtin\(subgroup_\w+\)/g) ?? [];
      if (!/lib\/(model\/)?subgroup(_sized)?\.wgsl$/.test(path)) expect(used).toEqual([]);
    },
  );

  // Linked twice, for K and for V, by `qualified`, which finds functions, constants, types and variables.
  describe.each([
    ['elements', [...KV_TYPES, 'int8_bits', 'int4_bits'], ['const ROW_WORDS', 'const ZERO', 'fn unpack']],
    ['scales', ['none', 'row', 'block'], ['fn row_scale', 'fn word_scale']],
    ['words', ['4', '8', '16'], ['alias Word', 'const WORD_U32S', 'fn cache_u32', 'fn word_u32']],
    ['store', KV_TYPES, ['fn store']],
  ])('libs %s_*', (kind, flavours, wanted) => {
    const twice = libs.filter(([path]) => nameOf(path).startsWith(`${kind}_`));

    test('there is one for each flavour', () => {
      expect(twice.map(([path]) => nameOf(path)).toSorted()).toEqual(
        flavours.map((flavour) => `${kind}_${flavour}`).toSorted(),
      );
    });

    test.each(twice)('%s declares what kernels call, and nothing that cannot be renamed', (_, text) => {
      const names = declaredNames(text);
      expect(names).toEqual(expect.arrayContaining(wanted));
      expect(names.filter((name) => !/^(fn|const|alias|var) /.test(name))).toEqual([]);
    });
  });

  test.each(libs)('%s is linked by a kernel file', (path) => {
    const users = [...src].filter(([file, text]) => importsOf(file, text).includes(path));
    expect(users.length).toBeGreaterThan(0);
  });
});

/** Packages that are built into an entry which runs anywhere: what conversion calculates, and edits configs, with. */
const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  'src/train.ts': ['jsonc-parser', 'ml-matrix'],
};

/** Entries of the package that need Node. */
const NODE_ENTRIES = ['node', 'checkpoint'];

describe('layers', () => {
  test('imports point down: cli, page, scripts -> bench -> node -> ... -> device', () => {
    expect(barredImports(shipped)).toEqual([]);
  });

  test('no files and no folders import each other in a circle', () => {
    expect(circles(new Map([...shipped, ...tests]))).toEqual([]);
  });

  test.each(
    [...ENTRIES.keys()].filter((entry) => !NODE_ENTRIES.includes(entry)).map((entry) => [`src/${entry}.ts`]),
  )('%s reaches no Node module, no package that is not built into it, and no host file', (entry) => {
    const reached = reachable(src, entry);
    expect(reached.filter((path) => !/^(src|shaders)\//.test(path)).toSorted()).toEqual(
      BUILT_IN[entry] ?? [],
    );
    expect(reached.filter((path) => FOR_NODE.test(path))).toEqual([]);
    expect(reached).toContain('src/device/errors.ts');
  });

  test.each(NODE_ENTRIES)('src/%s.ts is for Node', (entry) => {
    expect(reachable(src, `src/${entry}.ts`).some((path) => path.startsWith('node:'))).toBe(true);
  });

  test('only one file imports webgpu, and the comparison what makes Node look like a browser', () => {
    const users = [...shipped].filter(([path, text]) => importsOf(path, text).includes('webgpu'));
    expect(users.map(([path]) => path)).toEqual(['src/node/nodeGpu.ts', 'bench/peers/asBrowser.ts']);
  });

  test('pages reach nothing of Node', () => {
    for (const page of [
      'page/main.ts',
      'page/bench/worker.ts',
      'page/model/worker.ts',
      'bench/peers/page/main.ts',
    ]) {
      const reached = reachable(shipped, page);
      expect(reached.length).toBeGreaterThan(5);
      expect(reached.filter((path) => /^(node:|webgpu$|cli\/)/.test(path) || FOR_NODE.test(path))).toEqual(
        [],
      );
    }
  });

  test('node: modules only where Node is meant', () => {
    const users = [...src].filter(([path, text]) =>
      importsOf(path, text).some((name) => name.startsWith('node:')),
    );
    const elsewhere = users.map(([path]) => path).filter((path) => !FOR_NODE.test(path));
    expect(elsewhere).toEqual([]);
    expect(users.length).toBeGreaterThan(3);
  });

  test('threads run files, which types and lint see, and no source in texts', () => {
    const texts = [...shipped].filter(([, text]) => /\beval: true\b|\bnew Function\(/.test(text));
    expect(texts.map(([path]) => path)).toEqual([]);
  });

  test('examples import the package as its users do', () => {
    const imported = [...examples].flatMap(([path, text]) => importsOf(path, text));
    const others = imported.filter((name) => !/^gqa-webgpu(\/|$)/.test(name));
    expect(imported.length).toBeGreaterThan(others.length);
    expect([...new Set(others)].toSorted()).toEqual([
      '@huggingface/tokenizers',
      'examples/gpu.mjs',
      'node:fs/promises',
      'node:url',
      'onnxruntime-web/webgpu',
      'webgpu',
    ]);
  });

  test('no host object outside the files for Node', () => {
    const found = [...src]
      .filter(([path]) => !FOR_NODE.test(path))
      .flatMap(([path, text]) => forbiddenNames(path, text));
    expect(found).toEqual([]);
  });
});

const FOR_NODE =
  /^src\/(node\.ts|node\/|files\/|train\/disk\/|checkpoint\/(format\/file\.ts|(convert|model)\/disk\/))/;

describe('files', () => {
  test('a file has at most 300 lines', () => {
    const long = [...shipped].filter(([, text]) => text.split('\n').length - 1 > 300);
    expect(long.map(([path]) => path)).toEqual([]);
  });

  test('the first line says what a file is', () => {
    const anonymous = [...shipped, ...examples, ...tests].filter(([path, text]) => {
      return !text.startsWith(`// ${path.replace(/^.*\//, '')}: `);
    });
    expect(anonymous.map(([path]) => path)).toEqual([]);
  });
});

describe('numbers written twice', () => {
  const constant = (text: string | undefined, name: string) => {
    return Number(new RegExp(`const ${name} = ([-\\d.e]+)[uf]?;`).exec(text ?? '')?.[1]);
  };

  test('flags are those of the host', () => {
    const { GPUBufferUsage, GPUMapMode, GPUShaderStage } = globals as Record<string, Record<string, number>>;
    for (const [ours, host] of [
      [BUFFER_USAGE, GPUBufferUsage],
      [MAP_MODE, GPUMapMode],
      [SHADER_STAGE, GPUShaderStage],
    ] as const) {
      for (const [name, value] of Object.entries(ours)) expect([name, host![name]]).toEqual([name, value]);
    }
  });

  test.each([4, 8, 16])('u32s in a word of %i bytes: host and shader', (bytes) => {
    expect(constant(shaders.get(`shaders/lib/words_${bytes}.wgsl`), 'WORD_U32S')).toBe(bytes / 4);
  });

  test('the floor of the log-sum-exp: host and shader', () => {
    expect(Math.fround(constant(shaders.get('shaders/lib/numbers.wgsl'), 'LSE_EMPTY'))).toBe(LSE_EMPTY);
  });

  test('the greatest score: reference and shader; no row that has keys comes down to the floor', () => {
    const most = Math.fround(constant(shaders.get('shaders/lib/numbers.wgsl'), 'SCORE_MAX'));
    expect(most).toBe(SCORE_MAX);
    expect(-most).toBeGreaterThan(LSE_EMPTY);
  });
});

describe('the checks find what they look for', () => {
  test('variables without initialiser', () => {
    const bad =
      'fn f() {\n  var x: f32;\n  for (var i = 0u; ; ) { var s : array<f32, 4>; }\n  var<function> y: u32; // var z: f32;\n}';
    expect(uninitialisedVariables(bad)).toEqual(['x', 's', 'y']);
    expect(
      uninitialisedVariables('var<workgroup> w: array<f32, 4>;\nfn f() { var a = 1; var b: f32 = 2; }'),
    ).toEqual([]);
  });

  test('bindings in another spelling', () => {
    const bad = [
      '@binding(0) @group(0) var<storage, read> a: array<u32>;',
      '@group(0) @binding(1) var<storage> b: array<u32>;',
      '@group(0) @binding(2) var<uniform, read> c: C;',
    ];
    expect(
      badBindings(`${bad.join('\n')}\n@group(0) @binding(3) var<storage, read> d: array<u32>;\n`),
    ).toEqual(bad);
  });

  test('names at module scope, whatever stands in functions and comments', () => {
    const text = `const A = 1u; // const B = 2u;
alias Scores = array<f32, 4>;
var<workgroup> sums: array<f32, A>;
struct S {
  x: u32,
}
@compute @workgroup_size(A)
fn main() {
  const inner = 1u;
  for (var i = 0u; i < 4u; i++) { if x { let y = 1u; } }
}
`;
    expect(declaredNames(text)).toEqual(['const A', 'alias Scores', 'var sums', 'struct S', 'fn main']);
  });

  test('loops that would not be unrolled', () => {
    const good = ['  for (var r = 0u; r < ROWS; r++) { // unroll', '// an unrolled loop'];
    const bad = [
      'for (var r = 0u; r < ROWS; r++) { // unroll it',
      'for (var r = 0u; r < ROWS; r++) { // Unroll',
      'for (var r = 1u; r < ROWS; r++) { // unroll',
      'for (var r = 0u; r < 4u; r++) { // unroll',
      'for (var r = 0u; r < ROWS; r += 1u) { // unroll',
    ];
    expect(badUnrolls([...good, ...bad].join('\n'))).toEqual(bad);
  });

  test('loops that would not be bounded', () => {
    const good = [
      '  for (var i = lane; i < count; i += WG_SIZE) { // bounded',
      'for (var i = 0u; i < f(a, b); i++) { // bounded',
      'for (var r = 0u; r < ROWS; r++) {',
      'for (var r = 0u; r < ROWS; r++) { // unroll',
      'for (var half = 8u; half > 0u; half /= 2u) {',
    ];
    const bad = [
      'for (var i = lane; i < ROWS; i++) {',
      'for (var i = 0u; i < count; i++) {',
      'for (var i = 0u; i < ROWS; i += 2u) {',
      'for (var i = 0u; i < count; i++) { // bound',
      'for (var half = 8u; half > 0u; half /= 2u) { // bounded',
    ];
    expect(badBounds([...good, ...bad].join('\n'))).toEqual(bad);
  });

  test('imports that point up or aside', () => {
    const files: Sources = new Map([
      [
        'src/kernels/a.ts',
        "import { x } from '../decode/plan.ts';\nimport type { Y } from '../device/errors.ts';",
      ],
      ['src/device/b.ts', "export * from '../kernels/shape.ts';"],
      ['src/models/c.ts', "const m = await import('../node.ts');"],
      ['bench/d.ts', "import '../cli/main.ts';\nimport { z } from '../src/index.ts';"],
    ]);
    expect(barredImports(files)).toEqual([
      'src/kernels/a.ts -> src/decode/plan.ts',
      'src/device/b.ts -> src/kernels/shape.ts',
      'src/models/c.ts -> src/node.ts',
      'bench/d.ts -> cli/main.ts',
    ]);
  });

  test('circles of files and of folders, also over a third', () => {
    const files: Sources = new Map([
      ['src/a/one.ts', "import type { Two } from './two.ts';"],
      ['src/a/two.ts', "import type { One } from './one.ts';"],
      ['src/b/x.ts', "import '../c/y.ts';"],
      ['src/c/y.ts', "import '../d/z.ts';"],
      ['src/d/z.ts', "import '../b/w.ts';\nimport '../a/one.ts';"],
    ]);
    expect(circles(files)).toEqual(['src/a: one.ts, two.ts', 'src: b, c, d']);
  });

  test('what an entry reaches, through re-exports and over several files', () => {
    const files: Sources = new Map([
      ['src/index.ts', "export * from './a/b.ts';"],
      ['src/a/b.ts', "import { open } from 'node:fs';\nimport text from '../../shaders/x.wgsl?raw';"],
    ]);
    expect(reachable(files, 'src/index.ts')).toEqual(['src/a/b.ts', 'node:fs', 'shaders/x.wgsl']);
  });

  test('host names, but not in comments or texts', () => {
    const text =
      "// navigator.gpu\nconst a = 'process';\nnavigator.gpu;\nprocess.env.X;\nGPUBufferUsage.STORAGE;\nlet u: GPUBufferUsageFlags;";
    expect(forbiddenNames('x.ts', text)).toEqual([
      'x.ts: navigator',
      'x.ts: process',
      'x.ts: GPUBufferUsage',
    ]);
  });
});
