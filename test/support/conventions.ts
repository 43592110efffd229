// conventions.ts: reads source texts for the conventions test: imports, layers, host names, WGSL spellings.

/** Texts by path from the repository's root. */
export type Sources = ReadonlyMap<string, string>;

/** The text without line and block comments; lines stay lines. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
}

const IMPORT =
  /^\s*(?:import|export)\b[^'";]*?from\s*'([^']+)'|^\s*import\s*'([^']+)'|\bimport\(\s*'([^']+)'/gm;

/** What a file imports or re-exports: paths from the root, without a query, or names of packages. */
export function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(IMPORT)].map((match) => {
    const name = (match[1] ?? match[2] ?? match[3]!).replace(/\?.*$/, '');
    return name.startsWith('.') ? new URL(name, `file:///${path}`).pathname.slice(1) : name;
  });
}

// What each layer may import besides itself, packages aside; the first pattern that fits a path is its layer.
const LAYERS: readonly (readonly [layer: RegExp, mayImport: RegExp])[] = [
  [/^src\/device\//, /^src\/device\//],
  [/^src\/kernels\//, /^(src\/(device|kernels)|shaders)\//],
  [/^src\/cache\//, /^src\/(device|kernels|cache)\//],
  [/^src\/decode\//, /^src\/(device|kernels|cache|decode)\//],
  [/^src\/models\//, /^src\/(models\/|device\/errors\.ts|kernels\/elements\.ts)/],
  [/^src\/files\//, /^src\/files\//],
  [
    /^src\/checkpoint\//,
    /^src\/(checkpoint\/|files\/|models\/|device\/errors\.ts|kernels\/(elements|halves)\.ts)/,
  ],
  [/^src\/node(\/|\.ts)/, /^src\/(node\/|device\/)/],
  [/^src\/index\.ts/, /^src\/(device|kernels|cache|decode|models|checkpoint)\//],
  [/^src\/cli\//, /^(src\/(?!index)|bench\/(?!page)|package\.json)/],
  [
    /^bench\/peers\//,
    /^(bench\/|test\/reference\/|src\/|scripts\/|vite\.config\.ts|onnxruntime-web\/webgpu|core-js\/)/,
  ],
  [/^bench\//, /^(bench\/|test\/reference\/|package\.json|src\/(?!cli|node))/],
];

/** Imports that the layers forbid, as `from -> to`. A file outside every layer may import nothing. */
export function barredImports(files: Sources): string[] {
  return [...files].flatMap(([path, text]) => {
    const mayImport = LAYERS.find(([layer]) => layer.test(path))?.[1];
    return importsOf(path, text)
      .filter((name) => name.includes('/') && !/^(node:|@)/.test(name) && !mayImport?.test(name))
      .map((name) => `${path} -> ${name}`);
  });
}

/** All files, packages and Node modules that an entry imports, directly or not, in order of discovery. */
export function reachable(files: Sources, entry: string): string[] {
  const found: string[] = [];
  const queue = [entry];
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    const text = files.get(path);
    if (text === undefined) continue;
    for (const name of importsOf(path, text)) {
      if (found.includes(name) || name === entry) continue;
      found.push(name);
      queue.push(name);
    }
  }
  return found;
}

/** Names of host objects that a file's code uses, as `path: name`; comments and quoted texts do not count. */
export function forbiddenNames(path: string, text: string): string[] {
  const code = withoutComments(text).replace(/'(?:[^'\\\n]|\\.)*'/g, "''");
  const names = code.match(/\b(navigator|process|GPUBufferUsage|GPUMapMode|GPUShaderStage)\b/g);
  return (names ?? []).map((name) => `${path}: ${name}`);
}

/** Names of variables declared in functions without an initialiser. Some drivers keep their old value in a loop. */
export function uninitialisedVariables(wgsl: string): string[] {
  const declarations = withoutComments(wgsl).matchAll(/\bvar(?:<function>)?\s+(\w+)\s*(?::[^;={]*)?([;=])/g);
  return [...declarations].filter((match) => match[2] === ';').map((match) => match[1]!);
}

/** Names declared at module scope, as `kind name`: fn, const, var, struct, alias and so on. */
export function declaredNames(wgsl: string): string[] {
  const code = withoutComments(wgsl).replace(/\{[^{}]*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}[^{}]*)*\}/g, '{}');
  const declarations = code.matchAll(
    /^(?:@[\w()\s,]+\s)?(fn|const|var|struct|alias|override)\b(?:<[^>]*>)?\s+(\w+)/gm,
  );
  return [...declarations].map(([, kind, name]) => `${kind} ${name}`);
}

const UNROLLED = /^ *for \(var (\w+) = 0u; \1 < [A-Z]\w*; \1\+\+\) \{ \/\/ unroll$/;

/** Lines that speak of unrolling in another spelling than the one the linker reads: it would leave the loop as it is. */
export function badUnrolls(wgsl: string): string[] {
  return wgsl
    .split('\n')
    .filter((line) => /\/\/.*unroll/i.test(line) && /\bfor\b/.test(line) && !UNROLLED.test(line));
}

const BINDING = /^@group\(0\) @binding\(\d+\) var<storage, (read|read_write)> [a-z_]+: [^;]+;\s*$/;

/** Lines that declare a binding in another spelling than the one the host reads. */
export function badBindings(wgsl: string): string[] {
  const lines = withoutComments(wgsl).split('\n');
  return lines.filter((line) => /@binding|@group|var<(storage|uniform)/.test(line) && !BINDING.test(line));
}
