// usage.ts: the numeric flags of WebGPU that we use. Not every host has the global GPUBufferUsage and GPUMapMode objects.

/** Values of `GPUBufferUsage`, from the WebGPU specification. */
export const BUFFER_USAGE = {
  MAP_READ: 0x0001,
  COPY_SRC: 0x0004,
  COPY_DST: 0x0008,
  UNIFORM: 0x0040,
  STORAGE: 0x0080,
  QUERY_RESOLVE: 0x0200,
} as const;

/** Values of `GPUMapMode`. */
export const MAP_MODE = { READ: 0x0001 } as const;

/** Values of `GPUShaderStage`. */
export const SHADER_STAGE = { COMPUTE: 0x4 } as const;
