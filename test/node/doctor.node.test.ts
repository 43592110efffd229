// doctor.node.test.ts: what `gqa doctor` says of given facts, its probes, and the command as a whole.
import { Command } from 'commander';
import { afterEach, describe, expect, test } from 'vitest';
import { exitCode, registerDoctor } from '../../cli/doctor/doctor.ts';
import type { Chosen, DoctorFacts, Machine } from '../../src/node/doctor/doctorFacts.ts';
import { stepOf } from '../../src/node/doctor/doctorProbes.ts';
import { checkLines, checksOf, factsMarkdown } from '../../cli/doctor/doctorReport.ts';

const machine: Machine = {
  gqa: '1.0.0',
  runtime: { kind: 'node', version: '20.19.0' },
  own: undefined,
  platform: 'linux-x64 6.1',
  webgpu: '0.6.2',
  loader: true,
  manifests: ['/usr/share/vulkan/icd.d/card.json'],
  override: undefined,
  embedded: '147.0.0',
  adapters: [{ backend: 'vulkan', name: 'Card' }],
};
const chosen: Chosen = {
  name: 'Card',
  origin: 'gpu',
  software: false,
  notes: [],
  info: { vendor: 'v', architecture: 'a', device: 'd', description: 'driver 1' },
  features: ['shader-f16', 'subgroups', 'timestamp-query'],
  subgroups: [32, 64],
  subgroupProbe: { wgSize: 128, lanes: 16, subgroupSize: 32 },
  kernel: 'registers wg128 lanes16 tokens2 rows4x1',
  limits: { maxStorageBufferBindingSize: 2 ** 31, maxBufferSize: 2 ** 32 },
  timestampStep: 1,
  loopVariable: 1,
  computesRight: true,
};
const good: DoctorFacts = { machine, chosen, error: undefined };

const problems = (facts: DoctorFacts) => checksOf(facts).filter(({ level }) => level !== 'ok');

describe("a runtime's own WebGPU", () => {
  const deno: Machine = {
    ...machine,
    runtime: { kind: 'deno', version: '2.9.6' },
    own: 'wgpu',
    loader: undefined,
    embedded: undefined,
    adapters: [],
  };

  test('is named instead of Dawn, with the adapter that it gives', () => {
    const facts: DoctorFacts = { ...good, machine: deno };
    expect(
      checksOf(facts)
        .slice(0, 2)
        .map(({ text }) => text),
    ).toEqual(["wgpu, the runtime's own WebGPU, deno 2.9.6, linux-x64 6.1", 'adapter "Card" (gpu)']);
    expect(factsMarkdown(facts)).toContain(
      [
        '- WebGPU: wgpu',
        '- package webgpu (Dawn): 0.6.2',
        '- runtime: deno 2.9.6, linux-x64 6.1',
        '- Vulkan loader: not looked for',
      ].join('\n'),
    );
    expect(factsMarkdown(facts)).toContain('- embedded adapter: not usable here\n- adapters: not listed');
  });

  test('makes up for a package that is not there', () => {
    expect(problems({ ...good, machine: { ...deno, webgpu: undefined } })).toEqual([]);
  });

  test('a Deno without either is told of both, another runtime of the package', () => {
    const bare = { ...deno, own: undefined, webgpu: undefined };
    const fixOf = (each: Machine) => problems({ ...good, machine: each })[0]?.fix;
    expect(fixOf(bare)).toBe('deno run --unstable-webgpu, or npm install webgpu@0.6');
    expect(fixOf({ ...bare, runtime: { kind: 'bun', version: '1.4.5' } })).toBe('npm install webgpu@0.6');
  });
});

describe('checksOf', () => {
  test('a good machine has nothing to mend', () => {
    expect(checksOf(good).map(({ level, text }) => `${level} ${text}`)).toEqual([
      'ok webgpu 0.6.2 (Dawn), node 20.19.0, linux-x64 6.1',
      'ok Vulkan loader found, 1 driver manifest',
      'ok embedded software adapter (@sparticuz/chromium 147.0.0)',
      'ok adapter "Card" (gpu)',
      'ok shader-f16 yes (16-bit caches do not need it)',
      'ok subgroups of 32 to 64, found to be of 32 and full: the kernel is registers wg128 lanes16 tokens2 rows4x1',
      'ok timestamp step 1 ns',
      'ok a binding holds 2 GiB, a buffer 4 GiB',
      'ok WGSL variables in loops start anew in each round',
      'ok compute round trip gives the right numbers',
    ]);
  });

  test('a software adapter is a warning, and other adapters are named', () => {
    const facts = {
      ...good,
      chosen: { ...chosen, name: 'llvmpipe', origin: 'system-software' as const, software: true },
    };
    expect(problems(facts)).toEqual([
      {
        level: 'warn',
        text: 'software adapter "llvmpipe" (system-software); also here: "Card": timings describe the processor and not a GPU',
        fix: "install the Vulkan driver of this machine's GPU, if it has one",
      },
    ]);
  });

  test('missing features and known defects are warnings that need no action', () => {
    const facts = {
      ...good,
      chosen: {
        ...chosen,
        subgroups: undefined,
        subgroupProbe: undefined,
        kernel: 'tiles wg64 tile64 rows4 words1',
        timestampStep: undefined,
        loopVariable: 5,
      },
    };
    expect(problems(facts).map(({ level, text }) => `${level} ${text}`)).toEqual([
      'warn no subgroups: the kernel is tiles wg64 tile64 rows4 words1',
      'warn no usable timestamp-query',
      'warn known defect: a WGSL variable without initialiser in a loop keeps its value (1 expected, got 5)',
    ]);
    expect(problems(facts).every(({ fix }) => fix?.startsWith('none needed'))).toBe(true);
  });

  test('subgroups that cannot be used, or are not, are said with the kernel that is used', () => {
    const kernel = 'tiles wg64 tile64 rows4 words1';
    const fault = 'lane 0 of team 2 is held by 0 invocations';
    const subgroupProbe = { ...chosen.subgroupProbe!, fault };
    const refused: DoctorFacts = { ...good, chosen: { ...chosen, kernel, subgroupProbe } };
    expect(problems(refused)).toEqual([
      {
        level: 'warn',
        text: `subgroups of 32 to 64 that cannot be used, the kernel is ${kernel}: ${fault}`,
        fix: 'none needed: kernels without them are used, somewhat slower',
      },
    ]);
    expect(factsMarkdown(refused)).toContain(`- subgroup probe: ${fault}\n- kernel: ${kernel}`);
    const unused: DoctorFacts = { ...good, chosen: { ...chosen, kernel, subgroupProbe: undefined } };
    expect(problems(unused)).toEqual([]);
    expect(checkLines(checksOf(unused))).toContain(
      `subgroups of 32 to 64, not used: the kernel is ${kernel}`,
    );
  });

  test('wrong numbers fail', () => {
    expect(problems({ ...good, chosen: { ...chosen, computesRight: false } })).toMatchObject([
      { level: 'fail', text: 'compute round trip gives wrong numbers' },
    ]);
  });

  test('without an adapter the error becomes a line and its cure the fix', () => {
    const bare: Machine = {
      ...machine,
      webgpu: undefined,
      loader: false,
      manifests: [],
      embedded: 'absent',
      adapters: [],
    };
    const facts = { machine: bare, chosen: undefined, error: 'nodeGpu: none.', hint: 'do this' };
    expect(checkLines(problems(facts))).toBe(
      [
        'fail  the package webgpu (Dawn) is not installed',
        '      fix: npm install webgpu@0.6',
        'warn  Vulkan loader not found, 0 driver manifests',
        "      fix: apt-get install libvulkan1 mesa-vulkan-drivers, or the driver of this machine's GPU",
        'warn  no embedded software adapter to fall back on',
        '      fix: npm install --save-dev @sparticuz/chromium@147.0.0',
        'fail  nodeGpu: none.',
        '      fix: do this',
      ].join('\n'),
    );
  });
});

test.each([
  [true, 'unset VK_DRIVER_FILES, or name a driver manifest that exists'],
  [false, 'unset VK_DRIVER_FILES, or name a driver manifest that exists, and apt-get install libvulkan1'],
])('a driver that the environment misnames, loader %s: its name is to fix', (loader, fix) => {
  const wrong = { ...machine, loader, manifests: [], override: 'VK_DRIVER_FILES=/a' };
  expect(problems({ ...good, machine: wrong })).toContainEqual(expect.objectContaining({ fix }));
});

test('factsMarkdown: one line for each fact', () => {
  const text = factsMarkdown({
    machine: { ...machine, override: 'VK_DRIVER_FILES=/a' },
    chosen: undefined,
    error: 'a\nb',
  });
  expect(text.split('\n')).toEqual([
    '- gqa-webgpu: 1.0.0',
    '- WebGPU: dawn',
    '- package webgpu (Dawn): 0.6.2',
    '- runtime: node 20.19.0, linux-x64 6.1',
    '- Vulkan loader: found',
    '- drivers chosen by: VK_DRIVER_FILES=/a',
    '- driver manifests: /usr/share/vulkan/icd.d/card.json',
    '- embedded adapter: 147.0.0',
    '- adapters: Card [vulkan]',
    '- error: a b',
  ]);
});

test('exitCode: 0 when an adapter works, 1 when it computes wrong numbers, 3 without one', () => {
  expect(exitCode(good)).toBe(0);
  expect(exitCode({ ...good, chosen: { ...chosen, computesRight: false } })).toBe(1);
  expect(exitCode({ ...good, chosen: undefined })).toBe(3);
});

test('stepOf: the greatest common divisor of the differences, in either direction', () => {
  expect(stepOf(new BigUint64Array([1000n, 1000n, 1060n, 1024n, 1072n]))).toBe(12);
  expect(stepOf(new BigUint64Array([5n, 65541n, 196613n]))).toBe(65536);
  expect(stepOf(new BigUint64Array([7n, 7n, 7n]))).toBeUndefined();
});

/** Runs `gqa doctor` and returns what it wrote. */
async function doctor(...args: string[]): Promise<string> {
  let written = '';
  const program = new Command().configureOutput({ writeOut: (text) => (written += text) });
  registerDoctor(program);
  await program.parseAsync(['doctor', ...args], { from: 'user' });
  return written;
}

describe('the command', () => {
  afterEach(() => {
    process.exitCode = undefined;
  });

  test('reports the adapter of this machine as JSON', async () => {
    const report: unknown = JSON.parse(await doctor('-o', 'json'));
    expect(process.exitCode).toBe(0);
    expect(report).toMatchObject({
      chosen: {
        computesRight: true,
        loopVariable: expect.toBeOneOf([1, 5]),
        kernel: expect.stringMatching(/^(registers|tiles) wg\d+ /),
        subgroupProbe: { subgroupSize: expect.toBeOneOf([4, 8, 16, 32, 64, 128]) },
      },
    });
    expect(report).not.toHaveProperty('chosen.subgroupProbe.fault');
    expect(report).not.toHaveProperty('error');
    // Exact timestamps: far below Dawn's quantum of 65 536 ns.
    expect(report).toHaveProperty(
      'chosen.timestampStep',
      expect.toSatisfy((step) => step > 0 && step < 65_536),
    );
  });

  test('exits with 3 when the adapter asked for is not there', async () => {
    const text = await doctor('--adapter', 'no such adapter');
    expect(process.exitCode).toBe(3);
    expect(text).toMatch(/^fail {2}nodeGpu: .*"no such adapter"/m);
    expect(text).toMatch(/^- error: nodeGpu: /m);
  });
});
