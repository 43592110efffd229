// ownGpu.node.test.ts: the WebGPU that a runtime brings itself, as Deno does: what is taken of it, and what is refused.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { nodeGpu } from '../../src/node/nodeGpu.ts';
import { pickOwn } from '../../src/node/ownGpu.ts';

const CPU = 'llvmpipe (LLVM 15.0.6, 256 bits)';
const CARD = 'Example Card';

function own(description: string | undefined): GPU {
  const info = { vendor: '65541', architecture: '', device: '0', description, isFallbackAdapter: false };
  return { requestAdapter: async () => (description === undefined ? null : { info }) } as unknown as GPU;
}

const WISH = { asked: undefined, requireGpu: false, flags: [] };

afterEach(() => vi.unstubAllGlobals());

describe("a runtime's own WebGPU", () => {
  test('is what nodeGpu gives where there is one, software by its name', async () => {
    const gpu = own(CPU);
    vi.stubGlobal('navigator', { gpu });
    vi.stubEnv('GQA_ADAPTER', undefined);
    try {
      const found = await nodeGpu();
      expect(found.gpu).toBe(gpu);
      expect(found).toMatchObject({ rung: 'system-software', adapterName: CPU, software: true });
      expect(found.notes).toEqual([expect.stringContaining('software adapter')]);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('may be a GPU', async () => {
    expect(await pickOwn(own(CARD), { ...WISH, requireGpu: true })).toMatchObject({
      rung: 'gpu',
      adapterName: CARD,
      software: false,
      notes: [],
    });
  });

  test('takes no name but its own', async () => {
    expect((await pickOwn(own(CPU), { ...WISH, asked: 'LLVMPIPE' })).adapterName).toBe(CPU);
    await expect(pickOwn(own(CPU), { ...WISH, asked: 'radeon' })).rejects.toThrow(
      `adapter "radeon" was asked for, but this runtime's own WebGPU gives "${CPU}" and takes no name`,
    );
  });

  test('is refused where it is software and a GPU is required, and where it gives nothing', async () => {
    await expect(pickOwn(own(CPU), { ...WISH, requireGpu: true })).rejects.toThrow(
      `a GPU is required, but "${CPU}"`,
    );
    await expect(pickOwn(own(undefined), WISH)).rejects.toThrow('no WebGPU adapter');
  });
});
