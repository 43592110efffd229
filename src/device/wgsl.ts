// wgsl.ts: links shader text and reads bindings back out of it, so that host and shader agree by construction.
//
// The pieces of a shader are joined in the order: enable directives, the kernel file, const lines, lib files.
// WGSL allows use before declaration at module scope, and the directives share the kernel's first line, so the
// compiler's line numbers are those of the kernel file. (Linking by plain text is how vello and use.gpu inspired it;
// no preprocessor, no placeholders.)
import { boundLoops } from './boundLoops.ts';
import { unrollLoops } from './unroll.ts';

/** One shader to link: the kernel file's text, the libs it calls, its constants and WGSL extensions. */
export interface ShaderParts {
  readonly kernel: string;
  readonly libs: readonly string[];
  readonly consts: Readonly<Record<string, number | boolean>>;
  readonly enables?: readonly string[];
  /** Size that the subgroups of the entry point are asked to have; needs the feature `subgroup-size-control`. */
  readonly subgroupSize?: number | undefined;
}

/** Joins the parts into one WGSL module, its marked loops unrolled and bounded. Whole-number constants become u32 constants. */
export function link(parts: ShaderParts): string {
  const { subgroupSize } = parts;
  const sized = subgroupSize !== undefined;
  const names = [...(parts.enables ?? []), ...(sized ? ['subgroup_size_control'] : [])];
  const enables = names.map((name) => `enable ${name}; `).join('');
  const kernel = sized
    ? parts.kernel.replace('@compute', `@compute @subgroup_size(${subgroupSize})`)
    : parts.kernel;
  const consts = Object.entries(parts.consts).map(([name, value]) => constLine(name, value));
  const linked = [`${enables}${kernel}`, ...consts, ...parts.libs].join('\n');
  return boundLoops(unrollLoops(linked));
}

function constLine(name: string, value: number | boolean): string {
  if (typeof value === 'boolean') return `const ${name} = ${value};`;
  if (!Number.isInteger(value) || value < 0)
    throw new Error(`const ${name}: expected a whole number, got ${value}`);
  return `const ${name} = ${value}u;`;
}

const DECLARED = /^(?:fn|const|alias|var<\w+>)\s+(\w+)/gm;

/**
 * A lib under a name: everything it declares, and the words in `also`, get a prefix, `k_` for functions and variables,
 * `K_` for constants and `K` for types. So one lib serves K and V alike, with different element types beside each other.
 */
export function qualified(prefix: string, lib: string, also: readonly string[] = []): string {
  const names = [...lib.matchAll(DECLARED)].map((match) => match[1]!);
  const pattern = new RegExp(`\\b(${[...names, ...also].join('|')})\\b`, 'g');
  const upper = prefix.toUpperCase();
  return lib.replace(pattern, (name) => {
    if (/^[a-z]/.test(name)) return `${prefix}_${name}`;
    return /[a-z]/.test(name) ? upper + name : `${upper}_${name}`;
  });
}

/** A lib with one of its functions under another name, for a lib that calls it and takes its place. */
export function renamed(lib: string, name: string, other: string): string {
  const pattern = new RegExp(`\\b${name}\\b`, 'g');
  if (!pattern.test(lib)) throw new Error(`expected a lib with ${name}`);
  return lib.replace(pattern, other);
}

export interface Binding {
  readonly index: number;
  readonly name: string;
  readonly access: 'uniform' | 'read' | 'read_write';
}

const BINDING =
  /@group\(0\)\s*@binding\((\d+)\)\s*var<(?:(uniform)|storage,\s*(read|read_write))>\s*(\w+)\s*:/g;

/** The bindings a linked module declares, by index. Every binding is `@group(0)`, `var<storage, ...>` or `var<uniform>`. */
export function bindingsOf(source: string): Binding[] {
  const bindings = [...source.matchAll(BINDING)].map((match) => ({
    index: Number(match[1]),
    access: (match[2] ?? match[3]) as Binding['access'],
    name: match[4]!,
  }));
  return bindings.toSorted((a, b) => a.index - b.index);
}
