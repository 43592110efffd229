// ownGpu.ts: the WebGPU that a runtime brings itself: `navigator.gpu` of Deno, which is Mozilla's wgpu.
import { NoAdapterError } from '../device/errors.ts';
import { isSoftware } from '../device/adapterInfo.ts';
import { type AdapterRequest, type NodeGpu, softwareNote, softwareRefused, noAdapter } from './adapters.ts';
import { type Runtime, runtimeOf } from './runtime.ts';

/** The runtime's own GPU object; undefined where it has none, as in Node and Bun. */
export function ownGpu(): GPU | undefined {
  return (globalThis.navigator as Navigator | undefined)?.gpu;
}

/** What a runtime's own WebGPU is called in reports. */
export function ownName({ kind }: Runtime = runtimeOf()): string {
  return kind === 'deno' ? 'wgpu' : `${kind}'s own`;
}

// All that can be said of a request: a runtime lists no adapters and takes no name.
const OFFERS: readonly GPURequestAdapterOptions[] = [
  { powerPreference: 'high-performance' },
  { powerPreference: 'low-power' },
  { forceFallbackAdapter: true },
];

/**
 * Opens the runtime's own WebGPU: its best adapter, or that of its offers whose name has the asked text in it. Throws
 * NoAdapterError.
 */
export async function pickOwn(gpu: GPU, { asked, requireGpu }: AdapterRequest): Promise<NodeGpu> {
  const wanted = asked?.toLowerCase() ?? '';
  const names = new Set<string>();
  for (const offer of OFFERS) {
    const info = (await gpu.requestAdapter(offer))?.info;
    if (!info) continue;
    const adapterName = info.description || info.device || info.vendor;
    names.add(adapterName);
    if (!adapterName.toLowerCase().includes(wanted)) continue;
    const software = isSoftware(info);
    if (software && requireGpu) throw softwareRefused(adapterName);
    return {
      gpu: offering(gpu, offer),
      webgpu: ownName(),
      origin: software ? 'system-software' : 'gpu',
      adapterName,
      software,
      notes: software ? [softwareNote(adapterName)] : [],
    };
  }
  throw noneOf(names, asked);
}

/** A GPU object whose `requestAdapter()` gives the offer, whatever else is asked of it. */
function offering(gpu: GPU, offer: GPURequestAdapterOptions): GPU {
  const pinned: Pick<GPU, 'requestAdapter' | 'getPreferredCanvasFormat' | 'wgslLanguageFeatures'> = {
    requestAdapter: (options) => gpu.requestAdapter({ ...options, ...offer }),
    getPreferredCanvasFormat: () => gpu.getPreferredCanvasFormat(),
    wgslLanguageFeatures: gpu.wgslLanguageFeatures,
  };
  return pinned as GPU;
}

function noneOf(names: ReadonlySet<string>, asked: string | undefined): NoAdapterError {
  const { kind, version } = runtimeOf();
  const own = `the WebGPU of ${kind} ${version} (${ownName()})`;
  if (names.size === 0) return noAdapter([`${own} gives none`]);
  const given = [...names].map((name) => `"${name}"`).join(' and ');
  return new NoAdapterError(`nodeGpu: adapter "${asked}" was asked for, but ${own} gives ${given} alone.`, {
    hint: 'ask for no adapter, or run it in Node, which lists every adapter and has an embedded one',
  });
}
