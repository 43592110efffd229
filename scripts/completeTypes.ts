// completeTypes.ts: puts into a declaration file what names WebGPU's types, and the library of Symbol.dispose.
import { GqaError } from '../src/index.ts';

/**
 * A declaration file with an import of the WebGPU types it names, and with the library that declares Symbol.dispose where
 * it has that. `webgpu` is how it imports device/webgpu.ts, `known` what that exports. Throws GqaError for other GPU names.
 */
export function completed(text: string, webgpu: string, known: ReadonlySet<string>): string {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const used = [...new Set(code.match(/\bGPU(?:[A-Z]\w*)?\b/g) ?? [])].toSorted();
  const unknown = used.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new GqaError('build', `src/device/webgpu.ts: expected a type ${unknown.join(', ')}, found none`);
  }
  const lib = code.includes('Symbol.dispose') ? ['/// <reference lib="esnext.disposable" />'] : [];
  const names = used.length > 0 ? [`import type { ${used.join(', ')} } from '${webgpu}';`] : [];
  return [...lib, ...names, text].join('\n');
}
