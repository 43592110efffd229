// compileCases.ts: has the driver of this process compile the kernels of decode steps; run by runOnAbsentGpu, once a family.
//
//   node scripts/runTs.mjs bench/isa/compileCases.ts CASES COMPILED
//
// CASES and COMPILED are JSON files: a list of IsaCase, and what became of it.
import { readFileSync, writeFileSync } from 'node:fs';
import { cacheLayout, GqaError, openDevice, type GqaDevice } from '../../src/index.ts';
import { nodeGpu } from '../../src/node.ts';
import { createFusedPath } from '../../src/decode/fusedPath.ts';
import { planContext } from '../../src/decode/planContext.ts';
import { fullDescriptor } from '../../src/device/deviceRequest.ts';
import type { CreateBuffer } from '../../src/device/buffers.ts';
import { appendKv } from '../../src/kernels/appendKv.ts';
import type { Kernel } from '../../src/kernels/kernel.ts';
import { caseId, shapeOf, type IsaCase } from './cases.ts';
import type { Compiled, CompiledCase, CompiledKernel } from './compiled.ts';
import { LABELLED } from './dawn.ts';

const [casesFile, compiledFile] = process.argv.slice(2) as [string, string];

const found = await nodeGpu(LABELLED);
const device = await openDevice(found.gpu, { descriptor: fullDescriptor });
const compiled = new Map<string, CompiledKernel>();

/** Nothing is bound, so that the path's scratch needs no memory. */
const noBuffer = ((_: string, size: number) => ({ size })) as unknown as CreateBuffer;

const cases: CompiledCase[] = [];
const refused: Compiled['refused'][number][] = [];
for (const each of JSON.parse(readFileSync(casesFile, 'utf8')) as IsaCase[]) {
  try {
    cases.push(await compileCase(each));
  } catch (error) {
    if (!(error instanceof GqaError)) throw error;
    refused.push({ id: caseId(each), why: error.message });
  }
}
const all: Compiled = { adapter: found.adapterName, kernels: [...compiled.values()], cases, refused };
writeFileSync(compiledFile, JSON.stringify(all));
device.destroy();

async function compileCase(each: IsaCase): Promise<CompiledCase> {
  const { kvHeads, headDim, type } = each;
  const shape = shapeOf(each);
  const layout = cacheLayout({ numKvHeads: kvHeads, headDim, capacity: 131072, kType: type });
  // Not as a decoder chooses: that one has the device probed, and one that is not there answers with zeros.
  const context = planContext(shape, layout, device.facts, { kernel: each.kernel });
  const labels = new Set<string>();
  const compile = async (kernel: Kernel) => {
    const { label, pipeline } = await compileKernel(kernel);
    labels.add(label);
    return pipeline;
  };
  await createFusedPath(recording(compile), context, noBuffer).compile(false);
  if (each.kernel === 'auto') {
    const rope = { style: 'half', rotaryDim: headDim } as const;
    await compile(appendKv(layout));
    await compile(appendKv(layout, { rope, norm: true, numQHeads: each.heads }));
  }
  return { id: caseId(each), headDim, variant: context.variant, labels: [...labels] };
}

/** The device, with pipelines that are compiled by `get`. */
function recording(get: GqaDevice['pipelines']['get']): GqaDevice {
  return Object.create(device, { pipelines: { value: { get } } }) as GqaDevice;
}

async function compileKernel({ name, source }: Kernel) {
  const kernel = compiled.get(source) ?? { label: `${name}.${compiled.size}`, name };
  const pipeline = await device.pipelines.get({ name: kernel.label, source });
  compiled.set(source, kernel);
  return { label: kernel.label, pipeline };
}
