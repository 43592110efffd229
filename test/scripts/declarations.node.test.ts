// declarations.node.test.ts: the declarations of the package, as a project with this TypeScript sees them.
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apiReport, RENEW, reportPath } from '../../scripts/apiReport.ts';
import { codeBlocks } from '../../scripts/codeBlocks.ts';
import { completed } from '../../scripts/completeTypes.ts';
import { exportsOf, readDeclarations } from '../../scripts/declarationFiles.ts';
import { ENTRIES } from '../../scripts/entries.ts';
import { ROOT } from '../../scripts/resultFiles.ts';
import { hiddenTypes } from '../support/publicTypes.ts';

const project = mkdtempSync(join(tmpdir(), 'gqa-types-'));
const installed = join(project, 'node_modules/gqa-webgpu');
const types = join(installed, 'dist/types');
const TSC = join(ROOT, 'node_modules/@typescript/native/lib/tsc.js');

/** Runs Node in a folder; what it printed is in the error when it fails. */
async function node(cwd: string, ...args: string[]): Promise<void> {
  try {
    await promisify(execFile)(process.execPath, args, { cwd });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(stdout + stderr, { cause: error });
  }
}

beforeAll(async () => {
  mkdirSync(types, { recursive: true });
  copyFileSync(join(ROOT, 'package.json'), join(installed, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules/@types'), join(project, 'node_modules/@types'));
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  await node(ROOT, TSC, '-p', 'tsconfig.build.json', '--outDir', types);
  await node(ROOT, 'scripts/runTs.mjs', 'scripts/declarations.ts', types);
});

afterAll(() => rmSync(project, { recursive: true }));

const FLAGS = ['--ignoreConfig', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022'];
const MODULES = [
  ['--module', 'esnext', '--moduleResolution', 'bundler'],
  ['--module', 'nodenext'],
];
const LIBRARIES = ['es2022,dom', 'es2020'];

/** Type-checks a program, declarations included, for bundlers with the DOM and for Node without it; emits its own. */
async function check(program: string, ...more: string[]): Promise<void> {
  writeFileSync(join(project, 'program.ts'), program);
  for (const [i, module] of MODULES.entries()) {
    const lib = LIBRARIES[i]!;
    const out = ['--declaration', '--outDir', 'out'];
    await node(project, TSC, 'program.ts', ...FLAGS, ...module, '--lib', lib, ...out, ...more);
  }
}

describe('a fresh project', () => {
  test('compiles the program of the README', async () => {
    const [program] = codeBlocks(readFileSync(join(ROOT, 'README.md'), 'utf8'), 'ts');
    await check(program!, '--types', 'node');
  });

  test('compiles the recipes', async () => {
    const page = readFileSync(join(ROOT, 'docs/limits-and-recipes.md'), 'utf8');
    await check(codeBlocks(page, 'ts').join('\n'), '--types', 'node');
  });

  test('has types of WebGPU objects, a device for `using`, and names for all that it exports', async () => {
    await check(PROGRAM, '--types', '');
  });

  test('has the other entries, each with types of its own', async () => {
    const program = [...ENTRIES].map(
      ([entry, imported]) =>
        `import * as ${entry} from '${imported}';\nexport const all_${entry} = ${entry};\n`,
    );
    await check(program.join(''), '--types', 'node');
  });

  test('gets its own types of WebGPU where it has them', async () => {
    writeFileSync(
      join(project, 'program.ts'),
      `import { openDevice } from 'gqa-webgpu';
const device: GPUDevice = (await openDevice(navigator.gpu)).gpu;
export const texture = device.createTexture;`,
    );
    await node(project, TSC, 'program.ts', ...FLAGS, ...MODULES[0]!, '--lib', 'es2022,dom', '--types', '');
  });
});

const PROGRAM = `
import * as gqa from 'gqa-webgpu';
type IsAny<T> = 0 extends 1 & T ? true : false;
type Gpu = NonNullable<Parameters<typeof gqa.openDevice>[0]>;
type Device = gqa.GqaDevice['gpu'];
export const any: [IsAny<Gpu>, IsAny<Device>, IsAny<Device['queue']>, IsAny<gqa.RecordTarget>] = [false, false, false, false];
export async function disposed(gpu: Gpu) {
  using device = await gqa.openDevice(gpu);
  // @ts-expect-error no such method
  device.gpu.noSuchMethod();
  return device.facts;
}
export const queue = (device: gqa.GqaDevice) => device.gpu.queue;
export const adapter = (gpu: Gpu) => gpu.requestAdapter();
export const pass = (device: gqa.GqaDevice) => device.gpu.createCommandEncoder().beginComputePass();
export const buffers = (layer: gqa.CacheLayer) => [layer.k, layer.v] as const;
`;

/** Texts of the declaration files, by path. */
function read(): Map<string, string> {
  const files = readdirSync(types, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.d.ts'),
  );
  return new Map(files.map((file) => [file, readFileSync(join(types, file), 'utf8')]));
}

describe('what an editor shows', () => {
  /** What any entry exports. */
  function publicNames(): Set<string> {
    const files = readDeclarations(read());
    const exported = [...ENTRIES.keys()].flatMap((entry) => exportsOf(files, `${entry}.d.ts`));
    return new Set(exported.map(({ name }) => name));
  }

  const MEMBER = /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)? {4}readonly (\w+)(\??): /g;

  test('has a text for each field that callers fill in, with the default of those that may be left out', () => {
    const names = publicNames();
    const fields = [...read().values()].flatMap((text) =>
      [...text.matchAll(/^export interface (\w+(?:Options|Args))\b[^{]*\{\n([\s\S]*?)^\}/gm)].flatMap(
        ([, name, body]) =>
          !names.has(name!)
            ? []
            : [...body!.matchAll(MEMBER)].map(([, doc = '', field, optional]) => {
                const told = optional ? /\bdefault\b/i.test(doc) : doc !== '';
                return [`${name}.${field}`, told] as const;
              }),
      ),
    );
    expect(fields.length).toBeGreaterThan(50);
    expect(fields.filter(([, told]) => !told)).toEqual([]);
  });

  test('has a word on each number, text and array that a public function takes', () => {
    const names = publicNames();
    const functions = [...read().values()].flatMap((text) => [
      ...text.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport declare function (\w+)\(([^)]*)\)/g),
    ]);
    const silent = functions
      .filter(([, , name]) => names.has(name!))
      .flatMap(([, doc, name, parameters]) =>
        [...parameters!.matchAll(/(\w+)\??: (?:number|string|boolean|readonly number|Array)/g)]
          .filter(([, parameter]) => !new RegExp(`\\b${parameter}\\b`).test(doc!))
          .map(([, parameter]) => `${name}: ${parameter}`),
      );
    expect(functions.length).toBeGreaterThan(15);
    expect(silent).toEqual([]);
  });
});

describe('what entries export', () => {
  test('holds every type that it names', () => {
    expect(hiddenTypes(read(), ['index.d.ts'])).toEqual([]);
    for (const entry of ENTRIES.keys())
      expect(hiddenTypes(read(), [`${entry}.d.ts`, 'index.d.ts'])).toEqual([]);
  });

  test('a type that is not exported is found, at any depth', () => {
    const files = new Map([
      [
        'index.d.ts',
        "export { f } from './a/b.ts';\nexport type { Given } from './a/b.ts';\nexport * from './c.ts';\n",
      ],
      [
        'a/b.d.ts',
        "import type { Far } from '../c.ts';\ninterface Near {\n  x: number;\n}\nexport interface Given {\n  far: Far;\n}\nexport declare function f(g: Given): Near;\n",
      ],
      [
        'c.d.ts',
        'type Hidden = number;\nexport type Shown = Hidden;\ninterface Far {\n}\nexport { type Far as Other };\n',
      ],
    ]);
    expect(hiddenTypes(files, ['index.d.ts'])).toEqual(['a/b.d.ts#Near', 'c.d.ts#Far', 'c.d.ts#Hidden']);
  });
});

describe('the API reports', () => {
  test.each([...ENTRIES])('%s: its declarations are those of the file', (entry, imported) => {
    const report = readFileSync(join(ROOT, reportPath(entry)), 'utf8');
    expect(
      apiReport(read(), entry, imported),
      `the surface of ${imported} changed: \`${RENEW}\` renews ${reportPath(entry)}`,
    ).toBe(report);
  });

  test('there is one for each entry, and a source file, and nothing else', () => {
    const entries = [...ENTRIES.keys()].toSorted();
    const sources = readdirSync(join(ROOT, 'src')).filter((file) => file.endsWith('.ts'));
    expect(readdirSync(join(ROOT, 'api')).toSorted()).toEqual(entries.map((name) => `${name}.d.ts.txt`));
    expect(sources.toSorted()).toEqual(entries.map((name) => `${name}.ts`));
  });

  const files = {
    'index.d.ts':
      "export { f, type Given as Args } from './a.ts';\nexport type { K } from './a.ts';\nexport type * as N from './n.ts';\n",
    'a.d.ts': `/** Of a. */
export declare class K {
    #private;
    /** Ends it. */
    end(): void;
}
export interface Given {
    readonly far?: number;
}
export declare function f(g: Given): void;
export declare function hidden(): void;
`,
    'n.d.ts': 'export type T = string;\n',
  };
  const report = (changed: Partial<typeof files> = {}) =>
    apiReport(new Map(Object.entries({ ...files, ...changed })), 'index', 'x');

  test('hold declarations under the names that importers see, without comments and private fields', () => {
    expect(report().split('\n\n').slice(1)).toEqual([
      '// as Args\ninterface Given {\n    readonly far?: number;\n}',
      '// as a type alone\nclass K {\n    end(): void;\n}',
      '// as N.T\ntype T = string;',
      'function f(g: Given): void;\n',
    ]);
  });

  test('change with a name, a member, a type and what an export is, and with nothing else', () => {
    const a = files['a.d.ts'];
    for (const text of [
      a.replace('far?', 'far'),
      a.replace('end()', 'stop()'),
      a.replace('f(g: Given)', 'f(g?: Given)'),
    ]) {
      expect(text).not.toBe(a);
      expect(report({ 'a.d.ts': text })).not.toBe(report());
    }
    const index = files['index.d.ts'];
    expect(report({ 'index.d.ts': index.replace('type { K }', '{ K }') })).not.toBe(report());
    expect(report({ 'n.d.ts': 'export type T = number;\n' })).not.toBe(report());
    expect(report({ 'a.d.ts': a.replace('hidden()', 'unseen()').replace('Ends', 'Stops') })).toBe(report());
  });
});

describe('completed', () => {
  const known = new Set(['GPU', 'GPUBuffer']);

  test('imports what a file names, comments aside, and the libraries of newer types', () => {
    expect(completed('/** GPUDevice */\nlet b: GPUBuffer, g: GPU;\n', './webgpu.ts', known)).toBe(
      "import type { GPU, GPUBuffer } from './webgpu.ts';\n/** GPUDevice */\nlet b: GPUBuffer, g: GPU;\n",
    );
    expect(completed('class A {\n  [Symbol.dispose](): void;\n}\n', './webgpu.ts', known)).toMatch(
      /^\/\/\/ <reference lib="esnext.disposable" \/>\n/,
    );
    expect(completed('declare function f(o?: ErrorOptions): void;\n', './webgpu.ts', known)).toMatch(
      /^\/\/\/ <reference lib="es2022.error" \/>\n/,
    );
    expect(completed('let gpuTime: number;\n', './webgpu.ts', known)).toBe('let gpuTime: number;\n');
  });

  test('refuses a name of WebGPU that has no type yet', () => {
    expect(() => completed('let t: GPUTexture;', './webgpu.ts', known)).toThrow(
      'src/device/webgpu.ts: expected a type GPUTexture, found none',
    );
  });
});
