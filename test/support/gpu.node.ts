// gpu.node.ts: WebGPU for tests that run in Node. GQA_ADAPTER chooses the adapter.
import { nodeGpu } from '../../src/node/nodeGpu.ts';

/** The GPU object of the machine's best adapter, or of the one that GQA_ADAPTER names. Throws NoAdapterError. */
export async function openGpu(): Promise<GPU> {
  opened ??= nodeGpu().then(({ gpu }) => gpu);
  return opened;
}

let opened: Promise<GPU> | undefined;
