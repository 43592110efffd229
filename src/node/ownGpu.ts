// ownGpu.ts: the WebGPU that a runtime brings itself: `navigator.gpu` of Deno, which is Mozilla's wgpu.
import { NoAdapterError } from '../device/errors.ts';
import { isSoftware } from '../device/adapterInfo.ts';
import { type AdapterWish, type NodeGpu, softwareNote, softwareRefused } from './adapters.ts';

/** The runtime's own GPU object; undefined where it has none, as in Node and Bun. */
export function ownGpu(): GPU | undefined {
  return (globalThis.navigator as Navigator | undefined)?.gpu;
}

/**
 * Opens the runtime's own WebGPU. It lists no adapters and takes no name, so that a wish for another than the one it gives
 * is refused. Throws NoAdapterError.
 */
export async function pickOwn(gpu: GPU, { asked, requireGpu }: AdapterWish): Promise<NodeGpu> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) {
    throw new NoAdapterError("nodeGpu: no WebGPU adapter: this runtime's own WebGPU gives none.", {
      hint: "install the driver of this machine's GPU",
    });
  }
  const { info } = adapter;
  const adapterName = info.description || info.device || info.vendor;
  if (asked !== undefined && !adapterName.toLowerCase().includes(asked.toLowerCase())) {
    throw new NoAdapterError(
      `nodeGpu: adapter "${asked}" was asked for, but this runtime's own WebGPU gives "${adapterName}" and takes no name.`,
      { hint: 'ask for no adapter, or run it in Node' },
    );
  }
  const software = isSoftware(info);
  if (software && requireGpu) throw softwareRefused(adapterName);
  const notes = software ? [softwareNote(adapterName)] : [];
  return { gpu, rung: software ? 'system-software' : 'gpu', adapterName, software, notes };
}
