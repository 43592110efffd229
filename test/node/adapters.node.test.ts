// adapters.node.test.ts: the order in which adapters are taken, with a Dawn of our own and with the real one.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { dawnFlags, dawnMissing, nodeGpu, validatorGpu } from '../../src/node/nodeGpu.ts';
import {
  type AdapterRequest,
  type CreateGpu,
  listAdapters,
  parseAdapterList,
  pickAdapter,
} from '../../src/node/adapters.ts';
import { embeddedRunsHere, findArchive } from '../../src/node/embedded.ts';

const GPU_NAME = 'Example Card (rev 2)';
const CPU_NAME = 'llvmpipe (LLVM 19.1, 256 bits)';

/** A Dawn with the given adapters. `seen` collects what it was called with. */
function fakeDawn(names: readonly string[]) {
  const seen = { flags: [] as string[][], drivers: [] as (string | undefined)[] };
  const create: CreateGpu = (flags) => {
    seen.flags.push(flags);
    const wanted = flags.find((flag) => flag.startsWith('adapter='))?.slice('adapter='.length) ?? '';
    const requestAdapter = async () => {
      seen.drivers.push(process.env.VK_DRIVER_FILES);
      const driver = process.env.VK_DRIVER_FILES ?? '';
      const all = driver.endsWith('vk_swiftshader_icd.json') ? ['SwiftShader'] : names;
      if (all.length === 0) return null;
      const name = all.find((each) => each.includes(wanted));
      if (name !== undefined) return { info: infoOf(name) };
      const list = all.map((each) => `\n * backend: 'vulkan', name: '${each}'`);
      throw new Error(`no suitable backends found\nAvailable adapters:${list.join('')}`);
    };
    return { requestAdapter } as unknown as GPU;
  };
  return { create, seen };
}

const infoOf = (name: string) => ({
  vendor: 'v',
  architecture: 'a',
  device: 'd',
  description: name,
  isFallbackAdapter: name !== GPU_NAME,
});

/** What a list of adapters ends with on a machine that has the embedded one. */
const EMBEDDED_TOO = embeddedRunsHere() && findArchive() ? ', "swiftshader" (embedded)' : '';

const WISH: AdapterRequest = { asked: undefined, requireGpu: false, flags: ['flag=1'] };
const folder = mkdtempSync(join(tmpdir(), 'gqa-adapters-'));
const manifest = join(folder, 'data/vulkan/icd.d/some.json');

beforeEach(() => {
  mkdirSync(join(folder, 'data/vulkan/icd.d'), { recursive: true });
  writeFileSync(manifest, '{}');
  vi.stubEnv('XDG_DATA_HOME', join(folder, 'data')); // so that a driver seems to be installed
  for (const name of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES', 'GQA_ADAPTER'])
    vi.stubEnv(name, undefined);
});
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true }));

test("parseAdapterList reads Dawn's error", () => {
  const message =
    "Error: no suitable backends found\nAvailable adapters:\n * backend: 'vulkan', name: 'Card 'X' (8 GB, 2)'\n * backend: 'd3d12', name: 'B'";
  expect(parseAdapterList(message)).toEqual([
    { backend: 'vulkan', name: "Card 'X' (8 GB, 2)" },
    { backend: 'd3d12', name: 'B' },
  ]);
  expect(parseAdapterList('something else')).toEqual([]);
});

describe('with adapters installed', () => {
  test('takes the first that Dawn lists, by its full name', async () => {
    const { create, seen } = fakeDawn([GPU_NAME, CPU_NAME]);
    const picked = await pickAdapter(create, { ...WISH, requireGpu: true });
    expect(picked).toMatchObject({ origin: 'gpu', adapterName: GPU_NAME, software: false, notes: [] });
    expect(seen.flags.at(-1)).toEqual(['flag=1', `adapter=${GPU_NAME}`]);
  });

  test('a software adapter is taken and named as such', async () => {
    const picked = await pickAdapter(fakeDawn([CPU_NAME]).create, WISH);
    expect(picked).toMatchObject({ origin: 'system-software', adapterName: CPU_NAME, software: true });
    expect(picked.notes).toEqual([
      `"${CPU_NAME}" is a software adapter: results are right, timings describe the processor and not a GPU`,
    ]);
  });

  test('a part of the name is enough, in any case', async () => {
    const picked = await pickAdapter(fakeDawn([GPU_NAME, CPU_NAME]).create, { ...WISH, asked: 'LLVMpipe' });
    expect(picked.adapterName).toBe(CPU_NAME);
  });

  test('a GPU object is made once for the same flags and drivers: Dawn warns anew at the first look of each', async () => {
    const { create, seen } = fakeDawn([GPU_NAME, CPU_NAME]);
    const [first, second] = [await pickAdapter(create, WISH), await pickAdapter(create, WISH)];
    expect(second.gpu).toBe(first.gpu);
    await listAdapters(create, WISH.flags);
    expect(seen.flags.map((flags) => flags.at(-1))).toEqual([
      expect.stringMatching(/^adapter=.* no such adapter$/),
      `adapter=${GPU_NAME}`,
    ]);
    vi.stubEnv('VK_DRIVER_FILES', manifest);
    await pickAdapter(create, WISH);
    expect(seen.flags).toHaveLength(4);
  });

  test('an unknown name is refused with the names there are', async () => {
    const picking = pickAdapter(fakeDawn([GPU_NAME, CPU_NAME]).create, { ...WISH, asked: 'radeon' });
    await expect(picking).rejects.toMatchObject({ code: 'no-adapter' });
    await expect(picking).rejects.toThrow(
      `nodeGpu: adapter "radeon" was asked for, but no name of an adapter has that in it; available: "${GPU_NAME}", "${CPU_NAME}"${EMBEDDED_TOO}.\nFix: ask for a part of one of these names`,
    );
  });

  test('requireGpu refuses software, found or asked for', async () => {
    const { create } = fakeDawn([CPU_NAME]);
    for (const asked of [undefined, 'llvm', 'SwiftShader']) {
      const name = asked === 'SwiftShader' ? 'swiftshader' : CPU_NAME;
      await expect(pickAdapter(create, { ...WISH, asked, requireGpu: true })).rejects.toThrow(
        `nodeGpu: a GPU is required, but "${name}" is a software adapter.\nFix: install the driver`,
      );
    }
  });

  test('drivers chosen by the environment are obeyed', async () => {
    vi.stubEnv('VK_DRIVER_FILES', manifest);
    expect(await pickAdapter(fakeDawn([CPU_NAME]).create, WISH)).toMatchObject({
      origin: 'environment',
      software: true,
    });
  });
});

describe('without a system adapter', () => {
  test('an adapter asked for is not replaced', async () => {
    await expect(pickAdapter(fakeDawn([]).create, { ...WISH, asked: 'radeon' })).rejects.toThrow(
      /adapter "radeon" was asked for, but Dawn takes no adapter from .*too old.*; available: .*\nFix: apt-get install/,
    );
  });

  test('a required GPU is not replaced', async () => {
    await expect(pickAdapter(fakeDawn([]).create, { ...WISH, requireGpu: true })).rejects.toThrow(
      /a GPU is required, but Dawn takes no adapter.*\nFix: install the driver of this machine's GPU/,
    );
  });

  test.each(['', '/nowhere.json'])('VK_DRIVER_FILES="%s" keeps Dawn from being asked', async (value) => {
    vi.stubEnv('VK_DRIVER_FILES', value);
    const { create, seen } = fakeDawn([GPU_NAME]);
    await expect(pickAdapter(create, { ...WISH, requireGpu: true })).rejects.toThrow(
      `VK_DRIVER_FILES="${value}" names no driver manifest that exists.\nFix: unset VK_DRIVER_FILES`,
    );
    await expect(pickAdapter(create, { ...WISH, asked: 'radeon' })).rejects.toThrow(
      `nodeGpu: adapter "radeon" was asked for, but VK_DRIVER_FILES="${value}" names no driver manifest that exists; available: ${EMBEDDED_TOO.slice(2) || 'none'}.\nFix: unset VK_DRIVER_FILES`,
    );
    expect(await listAdapters(create, [])).toEqual([]);
    expect(seen.flags).toEqual([]);
  });
});

describe.runIf(embeddedRunsHere())('the embedded software adapter', () => {
  test('is the last resort, says why, and leaves the environment as it was', async () => {
    const { create, seen } = fakeDawn([]);
    const picked = await pickAdapter(create, WISH);
    expect(picked).toMatchObject({ origin: 'embedded-software', adapterName: 'SwiftShader', software: true });
    expect(picked.notes[1]).toMatch(/^the embedded software adapter is used: Dawn takes no adapter/);
    expect(seen.drivers.at(-1)).toMatch(/swiftshader\/vk_swiftshader_icd\.json$/);
    expect(process.env.VK_DRIVER_FILES).toBeUndefined();
  });

  // As in Bun before its variables were set for native code too.
  test('is not another one, which a loader takes that does not see the choice of drivers', async () => {
    const create = (() => ({
      requestAdapter: async () => ({ info: infoOf(CPU_NAME) }),
    })) as unknown as CreateGpu;
    await expect(pickAdapter(create, { ...WISH, asked: 'swiftshader' })).rejects.toThrow(
      `nodeGpu: no WebGPU adapter: Dawn opened "${CPU_NAME}" in place of the embedded SwiftShader.\nFix: start the program with VK_DRIVER_FILES=/`,
    );
  });

  test('is taken when asked for, also where there is a GPU', async () => {
    const picked = await pickAdapter(fakeDawn([GPU_NAME]).create, { ...WISH, asked: 'SwiftShader driver 5' });
    expect(picked).toMatchObject({
      origin: 'embedded-software',
      notes: [expect.stringContaining('software adapter')],
    });
  });

  test('really runs, also after a first look at the system, and a second time', async () => {
    for (let round = 0; round < 2; round++) {
      const { gpu, origin } = await nodeGpu({ adapter: 'swiftshader' });
      const device = await (await gpu.requestAdapter())!.requestDevice();
      expect([origin, device.adapterInfo.architecture]).toEqual(['embedded-software', 'swiftshader']);
      device.destroy();
      await device.lost;
    }
  });

  test('GQA_ADAPTER is the default request, the option wins', async () => {
    vi.stubEnv('GQA_ADAPTER', 'swiftshader');
    expect((await nodeGpu()).origin).toBe('embedded-software');
    vi.stubEnv('GQA_ADAPTER', 'no such adapter');
    expect((await nodeGpu({ adapter: 'swiftshader' })).origin).toBe('embedded-software');
  });
});

test('dawnFlags: one list of disabled features, ours first', () => {
  expect(dawnFlags([])).toEqual(['disable-dawn-features=timestamp_quantization']);
  expect(dawnFlags(['enable-dawn-features=a', 'disable-dawn-features=b,c'])).toEqual([
    'disable-dawn-features=timestamp_quantization,b,c',
    'enable-dawn-features=a',
  ]);
});

test('dawnMissing tells an absent package from one that does not load', () => {
  expect(dawnMissing(new Error("Cannot find package 'webgpu' imported from /a.js")).message).toBe(
    'nodeGpu: the package "webgpu" is not installed.\nFix: npm install webgpu@0.6',
  );
  const cause = new Error("Cannot find module '/a/node_modules/webgpu/dist/linux-riscv64/dawn.node'");
  expect(dawnMissing(cause)).toMatchObject({ code: 'no-adapter', cause });
  expect(dawnMissing(cause).message).toBe(
    `nodeGpu: the package "webgpu" does not load on ${process.platform}-${process.arch}: ${cause.message}`,
  );
});

test('validatorGpu compiles shaders with every feature, on any machine', async () => {
  const adapter = await (await validatorGpu()).requestAdapter();
  expect([...adapter!.features]).toEqual(expect.arrayContaining(['shader-f16', 'subgroups']));
  const device = await adapter!.requestDevice({ requiredFeatures: ['shader-f16'] });
  device.pushErrorScope('validation');
  const good = device.createShaderModule({ code: 'enable f16; fn f() -> f16 { return 1h; }' });
  expect((await good.getCompilationInfo()).messages).toEqual([]);
  const bad = device.createShaderModule({ code: 'fn f() -> f32 { return 1u; }' });
  expect((await bad.getCompilationInfo()).messages).toHaveLength(1);
  expect(await device.popErrorScope()).not.toBeNull();
  device.destroy();
});
