// node.ts: the entry `gqa-webgpu/node`: a GPU object for programs outside a browser.
export type { ListedAdapter, NodeGpu, AdapterOrigin } from './node/adapters.ts';
export { nodeAdapters, nodeGpu, type NodeGpuOptions } from './node/nodeGpu.ts';
export { quietWait } from './node/quiet.ts';
