// residency.ts: how many workgroups keep a device busy: those that its cores can run side by side.
import type { DeviceFacts } from '../device/deviceFacts.ts';
import { type Profile, profileOf } from './profile.ts';
import type { GqaShape } from './shape.ts';

/**
 * Workgroups that are resident at once on all cores: as many invocations as keep a core busy, or as its registers are enough
 * for, in whole workgroups. At least one a core.
 * @param registers of 32 bits of an invocation
 * @param wgSize invocations of a workgroup
 */
export function residentWorkgroups(profile: Profile, registers: number, wgSize: number): number {
  const { cores, coreRegisters, coreInvocations } = profile;
  const invocations = Math.min(coreInvocations, coreRegisters / registers);
  return cores * Math.max(1, Math.floor(invocations / wgSize));
}

/** Registers of an invocation that leave a core as many invocations as keep it busy: what sizes are chosen for. */
export function registerBudget({ coreRegisters, coreInvocations }: Profile): number {
  return Math.floor(coreRegisters / coreInvocations);
}

/** Tokens by which a single sequence should fill a device: shorter ones fill it in part. */
const FILLING_LEN = 8192;

const USUAL_WG_SIZE = 128;

/**
 * Workgroups that a KV head's rows are spread over, so that a device is filled where there are few KV heads to fill it. Each
 * of them reads the keys again, from a cache nearer than memory since they run side by side: so no more than it takes.
 */
export function rowBlocksOf({ batch, numKvHeads, rowsPerKvHead }: GqaShape, facts: DeviceFacts): number {
  const profile = profileOf(facts);
  const resident = residentWorkgroups(profile, registerBudget(profile), USUAL_WG_SIZE);
  const splits = Math.floor(FILLING_LEN / profile.minSplitLen);
  return Math.min(rowsPerKvHead, Math.ceil(resident / (batch * numKvHeads * splits)));
}
