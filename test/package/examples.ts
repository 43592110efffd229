// examples.ts: the programs of examples/ in a project that has the package installed, in the runtimes that are not Node.
import { copyFileSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../scripts/resultFiles.ts';
import { ANYWHERE, GENERATE, ONNXRUNTIME, type Example } from '../support/examples.ts';
import { link, tool } from './project.ts';

/** All of them. A runtime that compiles one anew costs seconds: each runs in one besides Node. */
export const EXAMPLES = [...ANYWHERE, GENERATE, ONNXRUNTIME];

/** Those for Bun: one that has nothing special, and one that has Dawn's GPU object taken by another library. */
export const IN_BUN = EXAMPLES.filter(({ name }) => ['borrowDevice', 'onnxruntime'].includes(name));

/** Those for Deno: the others, and what another library has of its own WebGPU. */
export const IN_DENO = EXAMPLES.filter(({ name }) => name !== 'borrowDevice');

export function fileOf({ name }: Example): string {
  return `${name}.mjs`;
}

/** Throws Error unless a program printed what it should. */
export function checkExample({ name, prints }: Example, printed: string): void {
  if (!prints.test(printed)) throw new Error(`${name}: expected ${prints}, got: ${printed}`);
}

/** Copies the programs into a project, and links what two of them want beside the package. */
export function addExamples(project: string): void {
  const folder = join(ROOT, 'examples');
  for (const file of readdirSync(folder)) {
    if (/\.(mjs|onnx)$/.test(file)) copyFileSync(join(folder, file), join(project, file));
  }
  link(project, '@huggingface/tokenizers');
  const onnxruntime = tool('onnxruntime-web');
  if (onnxruntime === undefined) throw new Error('expected onnxruntime-web among the tools, found none');
  symlinkSync(onnxruntime, join(project, 'node_modules/onnxruntime-web'));
}
