// completeTypes.ts: puts into a declaration file what names WebGPU's types, and the libraries of newer ones of JavaScript.
import { GqaError } from '../src/index.ts';

/** TypeScript's libraries of what a project for an older JavaScript does not know. */
const LIBRARIES: Readonly<Record<string, RegExp>> = {
  'esnext.disposable': /\bSymbol\.dispose\b/,
  'es2022.error': /\bErrorOptions\b/,
};

/**
 * A declaration file with an import of the WebGPU types that it names, and references to the libraries that declare what
 * it uses of newer JavaScript. `webgpu` is how it imports device/webgpu.ts, `known` what that exports. Throws GqaError for
 * other GPU names.
 */
export function completed(text: string, webgpu: string, known: ReadonlySet<string>): string {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const used = [...new Set(code.match(/\bGPU(?:[A-Z]\w*)?\b/g) ?? [])].toSorted();
  const unknown = used.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new GqaError('build', `src/device/webgpu.ts: expected a type ${unknown.join(', ')}, found none`);
  }
  const libraries = Object.entries(LIBRARIES)
    .filter(([, name]) => name.test(code))
    .map(([library]) => `/// <reference lib="${library}" />`);
  const names = used.length > 0 ? [`import type { ${used.join(', ')} } from '${webgpu}';`] : [];
  return [...libraries, ...names, text].join('\n');
}
