// examples.ts: the programs of examples/ in a project that has the package installed, in the runtimes that are not Node.
import { readdirSync, symlinkSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../scripts/resultFiles.ts';
import { ANYWHERE, GENERATE, ONNXRUNTIME } from '../support/examples.ts';
import { link, tool } from './project.ts';

/** The programs and what tells whether one printed what it should. Throws Error where it did not. */
export const EXAMPLES = [...ANYWHERE, GENERATE, ONNXRUNTIME].map(({ name, prints }) => ({
  file: `${name}.mjs`,
  check(printed: string): void {
    if (!prints.test(printed)) throw new Error(`${name}: expected ${prints}, got: ${printed}`);
  },
}));

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
