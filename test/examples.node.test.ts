// examples.node.test.ts: the programs of examples/ run in Node, on the built package, as in a clone after `npm ci`.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, inject, test } from 'vitest';
import { onnxModel, type OnnxValue } from '../bench/peers/onnxProto.ts';
import type peers from '../bench/peers/package.json';
import { ROOT } from '../scripts/resultFiles.ts';
import { builtGqa } from './support/builtGqa.ts';
import { ANYWHERE } from './support/examples.ts';

const clone = `${inject('runFolder')}/clone-${process.pid}`;

beforeAll(async () => {
  const built = dirname(await builtGqa());
  mkdirSync(clone);
  for (const each of ['examples', 'package.json'])
    cpSync(join(ROOT, each), join(clone, each), { recursive: true });
  symlinkSync(join(ROOT, 'models'), join(clone, 'models'));
  symlinkSync(built, join(clone, 'dist'));
});

// The adapter that compiles fastest; Deno has another (test/package).
const env = { ...process.env, GQA_ADAPTER: 'swiftshader' };

async function printed(...args: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, args, { cwd: clone, env })).stdout;
}

test.each(ANYWHERE)('$name', async ({ name, prints }) => {
  expect(await printed(`examples/${name}.mjs`)).toMatch(prints);
});

test('generate: writes what the command does', async () => {
  const [example, command] = await Promise.all([
    printed('examples/generate.mjs', 'The cat sat'),
    printed('dist/cli.js', 'generate', 'models/stories', '--prompt', 'The cat sat', '-n', '100'),
  ]);
  expect(example).toBe(`The cat sat${command}`);
});

test('a wrong result ends in an error', async () => {
  const text = readFileSync(join(ROOT, 'examples/ownBuffers.mjs'), 'utf8');
  const wrong = text.replace(
    'vRows: { layout: inQkv, offset: (Hq + Hkv) * D }',
    'vRows: { layout: inQkv, offset: 0 }',
  );
  expect(wrong).not.toBe(text);
  writeFileSync(join(clone, 'examples/wrong.mjs'), wrong);
  await expect(printed('examples/wrong.mjs')).rejects.toThrow(/Error: wrong result at .*: expected /);
});

test('product.onnx is a product of two matrices', () => {
  const matrix = (name: string): OnnxValue => {
    return { name, type: 'f32', dims: [`rows of ${name}`, `columns of ${name}`] };
  };
  const made = onnxModel({
    name: 'product',
    nodes: [{ op: 'MatMul', inputs: ['a', 'b'], outputs: ['c'] }],
    inputs: [matrix('a'), matrix('b')],
    outputs: [matrix('c')],
  });
  expect(new Uint8Array(readFileSync(join(ROOT, 'examples/product.onnx')))).toEqual(made);
});

test('onnxruntime-web has one version: in texts, in the test of the package, and where it is measured', () => {
  const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
  const { dependencies } = JSON.parse(read('bench/peers/package.json')) as typeof peers;
  const version = dependencies['onnxruntime-web'];
  expect((JSON.parse(read('test/package/package.json')) as typeof peers).dependencies).toMatchObject({
    'onnxruntime-web': version,
  });
  for (const path of ['examples/onnxruntime.mjs', 'examples/README.md'])
    expect(read(path)).toContain(`npm install --no-save onnxruntime-web@${version}`);
});
