// probe.ts: probes a device's subgroups, once for each team size, before a kernel relies on them.
import { createStorage, readBack } from '../device/buffers.ts';
import { GpuError, ShaderError, ShapeError } from '../device/errors.ts';
import { checkDevice, type GqaDevice } from '../device/gqaDevice.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import { checkWhole, describe, isObject } from '../device/options.ts';
import type { CompiledKernel } from '../device/pipelines.ts';
import { beginPass, bindKernel, dispatch, endPass } from '../device/record.ts';
import { validated } from '../device/scopes.ts';
import { hasRegisters } from '../kernels/registersSizes.ts';
import { profileOf } from '../kernels/profile.ts';
import { powerOfTwoUpTo } from '../kernels/sizes.ts';
import {
  judgeProbe,
  PROBE_GRID,
  probeBytes,
  subgroupProbe,
  type SubgroupReport,
  type TeamSizes,
} from '../kernels/probe/subgroupProbe.ts';

/** Probes that ran or are running, by device and sizes: a device that is wrapped twice is one. */
const probes = new WeakMap<GPUDevice, Map<string, Promise<SubgroupReport>>>();

/**
 * Deals one small workgroup size into teams on the device and looks whether all is as the kernels expect; later calls get
 * the first one's answer. A probe that does not compile is a report with that fault. Throws ShapeError for teams that do not
 * fill a workgroup of the device, and as any work on a device that was lost or destroyed.
 */
export async function probeSubgroups(device: GqaDevice, sizes: TeamSizes): Promise<SubgroupReport> {
  checkDevice('probeSubgroups', device);
  checkTeams(device.facts, sizes);
  const known = probes.get(device.gpu) ?? new Map<string, Promise<SubgroupReport>>();
  probes.set(device.gpu, known);
  const key = `${sizes.wgSize}/${sizes.lanes}/${sizes.askedSize}`;
  const asked = known.get(key);
  if (asked) return asked;
  const running = probe(device, sizes).catch((error: unknown) => {
    known.delete(key);
    throw error;
  });
  known.set(key, running);
  return running;
}

function checkTeams({ maxInvocations }: DeviceFacts, sizes: TeamSizes): void {
  if (!isObject(sizes)) {
    throw new ShapeError(`probeSubgroups: expected { wgSize, lanes }, got ${describe(sizes)}`);
  }
  const { wgSize, lanes } = sizes;
  checkWhole('probeSubgroups: wgSize', wgSize, 1, maxInvocations);
  checkWhole('probeSubgroups: lanes', lanes, 1, wgSize);
  if (wgSize % lanes !== 0) {
    throw new ShapeError(`probeSubgroups: wgSize (${wgSize}) must be a multiple of lanes (${lanes})`);
  }
}

/** What all probes of a device found so far. */
export async function subgroupReports(device: GqaDevice): Promise<SubgroupReport[]> {
  checkDevice('subgroupReports', device);
  const known = probes.get(device.gpu);
  return known ? Promise.all(known.values()) : [];
}

/** The facts that sizes are chosen by, and the report that they rest on, where there was anything to probe. */
export interface ProbedFacts {
  readonly facts: DeviceFacts;
  readonly report?: SubgroupReport;
}

/**
 * A device's facts as a probe corrects them: without subgroups where they are not as kernels expect, with their true size
 * where the adapter names a range and the kind of device has one size only.
 */
export async function probedFacts(device: GqaDevice): Promise<ProbedFacts> {
  checkDevice('probedFacts', device);
  const { facts } = device;
  if (!hasRegisters(facts)) return { facts };
  const report = await probeSubgroups(device, commonTeams(facts));
  if (report.fault !== undefined) return { facts: withoutSubgroups(facts), report };
  if (!profileOf(facts).oneSubgroupSize) return { facts, report };
  const { subgroupSize } = report;
  return { facts: { ...facts, subgroupMinSize: subgroupSize, subgroupMaxSize: subgroupSize }, report };
}

/** The same device for kernels that need none. */
export function withoutSubgroups(facts: DeviceFacts): DeviceFacts {
  return { ...facts, subgroups: false };
}

/** Several subgroups of the smallest size that the adapter names, as far as a workgroup reaches. */
function commonTeams({ subgroupMinSize, maxInvocations }: DeviceFacts): TeamSizes {
  const lanes = powerOfTwoUpTo(Math.min(16, subgroupMinSize));
  return { wgSize: powerOfTwoUpTo(Math.min(128, maxInvocations)), lanes };
}

/** The same device for teams that fit the smallest subgroups that the adapter names. */
export function withSmallestSubgroups(facts: DeviceFacts): DeviceFacts {
  return { ...facts, subgroupMaxSize: facts.subgroupMinSize, subgroupSizeControl: false };
}

async function probe(device: GqaDevice, sizes: TeamSizes): Promise<SubgroupReport> {
  const compiled = await compile(device, sizes);
  if (typeof compiled === 'string') return { ...sizes, subgroupSize: 0, fault: compiled };
  const seen = createStorage(device, compiled.name, probeBytes(sizes));
  try {
    await validated(device, compiled.name, () => {
      const bound = bindKernel(device.gpu, compiled, {
        seen: { buffer: seen, offset: 0, size: seen.size },
      });
      const encoder = device.gpu.createCommandEncoder({ label: compiled.name });
      const pass = beginPass('subgroup probe', device, encoder);
      dispatch(pass, bound, PROBE_GRID);
      endPass(encoder, pass);
      device.gpu.queue.submit([encoder.finish()]);
    });
    return judgeProbe(sizes, new Uint32Array(await readBack(device, seen)));
  } finally {
    seen.destroy();
  }
}

/** The compiled probe, or why it does not compile. */
async function compile(device: GqaDevice, sizes: TeamSizes): Promise<CompiledKernel | string> {
  try {
    return await device.pipelines.get(subgroupProbe(sizes));
  } catch (error) {
    device.assertUsable(); // of a lost device it says nothing
    if (error instanceof ShaderError || error instanceof GpuError) return error.message;
    throw error;
  }
}
