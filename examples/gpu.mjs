// gpu.mjs: the GPU object, and WebGPU's flags as globals, in Node, Deno and Bun. In a browser it is `export const gpu = navigator.gpu;`.
import { nodeGpu } from 'gqa-webgpu/node';

const { gpu, notes } = await nodeGpu();
for (const note of notes) console.warn(`note: ${note}`);

// Browsers and Deno have GPUBufferUsage and the like. In Node and Bun they come with Dawn, the package `webgpu`.
if (!('GPUBufferUsage' in globalThis)) Object.assign(globalThis, (await import('webgpu')).globals);

export { gpu };
