// runtime.ts: which runtime this process is: Node, or one that poses as Node.

/** A runtime and its own version, not that of the Node it poses as. */
export interface Runtime {
  readonly kind: 'node' | 'deno' | 'bun';
  readonly version: string;
}

/** This process's, by the versions that it names. */
export function runtimeOf(versions: NodeJS.ProcessVersions = process.versions): Runtime {
  const { deno, bun, node } = versions;
  if (deno) return { kind: 'deno', version: deno };
  return bun ? { kind: 'bun', version: bun } : { kind: 'node', version: node };
}

/** A variable of the environment; undefined where it is not set or, in Deno, not allowed to be read. */
export function environment(name: string): string | undefined {
  try {
    return process.env[name] || undefined;
  } catch {
    return undefined;
  }
}
