// kernel.ts: what a kernel file returns: a plain value that can be tested without a GPU.

/** Workgroups in x, y, z. */
export type Grid = readonly [number, number, number];

/** A linked shader. `name` is the shader file's name and labels every GPU object made from it. */
export interface Kernel {
  readonly name: string;
  readonly source: string;
}
