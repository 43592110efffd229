// ownGpu.node.test.ts: the WebGPU that a runtime brings itself, as Deno does: what is taken of it, and what is refused.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { nodeGpu } from '../../src/node/nodeGpu.ts';
import { pickOwn, ownName } from '../../src/node/ownGpu.ts';
import type { NodeGpu } from '../../src/node/adapters.ts';

const CPU = 'llvmpipe (LLVM 15.0.6, 256 bits)';
const CARD = 'Example Card';

/** A GPU object that gives the best adapter, the most frugal and the fallback one. */
function own(best: string | undefined, frugal = best, fallback = best): GPU {
  const adapter = (description: string | undefined) =>
    description === undefined
      ? null
      : { info: { vendor: '65541', architecture: '', device: '0', description, isFallbackAdapter: false } };
  const requestAdapter = async (options?: GPURequestAdapterOptions) => {
    if (options?.forceFallbackAdapter) return adapter(fallback);
    return adapter(options?.powerPreference === 'high-performance' ? best : frugal);
  };
  return { requestAdapter } as unknown as GPU;
}

const nameOf = async ({ gpu }: NodeGpu) => (await gpu.requestAdapter())?.info.description;

const WISH = { asked: undefined, requireGpu: false, flags: [] };

afterEach(() => vi.unstubAllGlobals());

describe("a runtime's own WebGPU", () => {
  test('is what nodeGpu gives where there is one, software by its name', async () => {
    const gpu = own(CPU);
    vi.stubGlobal('navigator', { gpu });
    vi.stubEnv('GQA_ADAPTER', undefined);
    try {
      const found = await nodeGpu();
      expect(found).toMatchObject({ origin: 'system-software', adapterName: CPU, software: true });
      expect(await nameOf(found)).toBe(CPU);
      expect(found.notes).toEqual([expect.stringContaining('software adapter')]);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('may be a GPU', async () => {
    expect(await pickOwn(own(CARD), { ...WISH, requireGpu: true })).toMatchObject({
      origin: 'gpu',
      adapterName: CARD,
      software: false,
      notes: [],
    });
  });

  test('gives the adapter that it names, whatever is asked of it later', async () => {
    const gpu = own(CARD, 'Example Integrated', CPU);
    for (const [asked, name] of [
      [undefined, CARD],
      ['INTEGRATED', 'Example Integrated'],
      ['llvmpipe', CPU],
    ] as const) {
      const found = await pickOwn(gpu, { ...WISH, asked });
      expect(found.adapterName).toBe(name);
      expect(await nameOf(found)).toBe(name);
      expect((await found.gpu.requestAdapter({ powerPreference: 'low-power' }))?.info.description).toBe(name);
    }
  });

  test('has no other adapter, the embedded one neither', async () => {
    for (const asked of ['radeon', 'swiftshader']) {
      await expect(pickOwn(own(CARD, CARD, CPU), { ...WISH, asked })).rejects.toThrow(
        new RegExp(
          `adapter "${asked}" was asked for, but the WebGPU of .* gives "Example Card" and "llvmpipe`,
        ),
      );
    }
  });

  test('is called wgpu in Deno', () => {
    expect(ownName({ kind: 'deno', version: '2.9.6' })).toBe('wgpu');
  });

  test('is refused where it is software and a GPU is required, and where it gives nothing', async () => {
    await expect(pickOwn(own(CPU), { ...WISH, requireGpu: true })).rejects.toThrow(
      `a GPU is required, but "${CPU}"`,
    );
    await expect(pickOwn(own(undefined), WISH)).rejects.toThrow('no WebGPU adapter');
  });
});
