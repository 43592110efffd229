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

// The folders from the bottom up: a file imports from its own folder and from those before it. Programs stand on top, beside
// each other: nobody imports them.
const LINE = [
  ['shaders'],
  ['src/device'],
  ['src/files'],
  ['src/numbers'],
  ['src/kernels'],
  ['src/reference'],
  ['src/reference.ts'],
  ['src/cache'],
  ['src/decode'],
  ['src/index.ts'],
  ['src/tuning.ts'],
  ['src/models'],
  ['src/checkpoint'],
  ['src/train'],
  ['src/train.ts'],
  ['src/models.ts'],
  ['src/checkpoint.ts'],
  ['src/node'],
  ['src/node.ts'],
  ['bench'],
  ['cli', 'page', 'scripts'],
];

interface Place {
  readonly level: number;
  readonly folder: string;
}

function placeOf(path: string): Place | undefined {
  for (const [level, folders] of LINE.entries()) {
    const folder = folders.find((name) => path === name || path.startsWith(`${name}/`));
    if (folder !== undefined) return { level, folder };
  }
  return undefined;
}

/** Imports that point up or aside, as `from -> to`; package.json is everybody's. */
export function barredImports(files: Sources): string[] {
  return relativeImports(files)
    .filter(([path, name]) => {
      const [from, to] = [placeOf(path), placeOf(name)];
      if (name === 'package.json') return false;
      return !from || !to || (from.folder !== to.folder && from.level <= to.level);
    })
    .map(([path, name]) => `${path} -> ${name}`);
}

/** Files and folders that import each other in a circle, at any depth, as `folder: name, name`: all that is in one or reaches one. */
export function circles(files: Sources): string[] {
  const folders = new Map<string, Map<string, Set<string>>>();
  for (const [path, name] of relativeImports(files)) {
    const [from, to] = [path.split('/'), name.split('/')];
    const at = from.findIndex((part, i) => part !== to[i]);
    const folder = from.slice(0, at).join('/');
    const edges = folders.get(folder) ?? new Map<string, Set<string>>();
    folders.set(folder, edges.set(from[at]!, (edges.get(from[at]!) ?? new Set()).add(to[at]!)));
  }
  return [...folders].flatMap(([folder, edges]) => {
    // Whoever imports nobody that is left can be in no circle.
    for (let before = -1; before !== edges.size;) {
      before = edges.size;
      for (const [from, to] of edges) if (![...to].some((name) => edges.has(name))) edges.delete(from);
    }
    return edges.size > 0 ? [`${folder || '.'}: ${[...edges.keys()].toSorted().join(', ')}`] : [];
  });
}

/** Imports of files of this repository: from where, and what. */
function relativeImports(files: Sources): [path: string, name: string][] {
  return [...files].flatMap(([path, text]) =>
    importsOf(path, text)
      .filter(
        (name) => /^(shaders|src|bench|cli|page|scripts|test)\/|^package\.json$/.test(name) && name !== path,
      )
      .map((name): [string, string] => [path, name]),
  );
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

const GROWING = /^ *for \(var (\w+) = ([^;]+); \1 < ([^;]+); (\1\+\+|\1 \+= [^;]+)\) \{/;
const BOUNDED = /^ *for \(var (\w+) = [^;]+; \1 < [^;]+; (?:\1\+\+|\1 \+= [^;]+)\) \{ \/\/ bounded$/;

/** Loops over a variable that grows, up to what is no constant, without the mark that the linker bounds them by, or with a misspelt one. */
export function badBounds(wgsl: string): string[] {
  return wgsl.split('\n').filter((line) => {
    if (!/\bfor \(/.test(line) || BOUNDED.test(line)) return false;
    if (/\/\/.*bound/i.test(line)) return true;
    const [, index, first, end, step] = GROWING.exec(line) ?? [];
    if (index === undefined) return false;
    return !(first === '0u' && step === `${index}++` && /^(?:[A-Z][A-Z\d_]*|\d+u)$/.test(end!));
  });
}

const BINDING = /^@group\(0\) @binding\(\d+\) var<(uniform|storage, (read|read_write))> [a-z_]+: [^;]+;\s*$/;

/** Lines that declare a binding in another spelling than the one the host reads. */
export function badBindings(wgsl: string): string[] {
  const lines = withoutComments(wgsl).split('\n');
  return lines.filter((line) => /@binding|@group|var<(storage|uniform)/.test(line) && !BINDING.test(line));
}
