// programs.ts: the README's library example, as it stands and as a bundler for CommonJS, Deno and Bun take it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeBlocks } from '../../scripts/codeBlocks.ts';
import { ROOT } from '../../scripts/resultFiles.ts';

/** The library example. */
export function example(): string {
  return codeBlocks(readFileSync(join(ROOT, 'README.md'), 'utf8'), 'ts')[0]!;
}

/** Without `await` outside a function, which CommonJS does not have. */
export function inFunction(program: string): string {
  const imports = program.match(/^import .*$/gm)!.join('\n');
  const rest = program.replaceAll(/^import .*\n/gm, '');
  return `${imports}\nasync function main() {\n${rest}\n}\nvoid main();\n`;
}

/** With the GPU object that `expression` gives instead of nodeGpu()'s. */
export function withGpu(program: string, expression: string): string {
  const changed = program
    .replace(/^import \{ nodeGpu \}.*\n/m, '')
    .replace('const { gpu } = await nodeGpu();', `const gpu = ${expression};`);
  if (changed.includes('nodeGpu')) throw new Error(`README: expected nodeGpu() once, got ${changed}`);
  return changed;
}

/**
 * The check of what the example prints: four numbers of the output, and the length of the cache. Its random values are stored
 * as int8, so that one or the other may be 0.
 */
export function checkPrinted(printed: string): void {
  const [, list = '', lengths] =
    /Float32Array\(4\) \[([^\]]*)\]\s*\[\s*(\d+)\s*\]\s*$/.exec(printed.trim()) ?? [];
  const numbers = list.split(',').map((text) => Number(text.trim() || NaN));
  const some = numbers.some((x) => x !== 0) && numbers.every((x) => Math.abs(x) <= 0.5);
  if (numbers.length === 4 && some && lengths === '3') return;
  throw new Error(`expected four numbers within ±0.5, not all of them 0, and [ 3 ], got: ${printed}`);
}
