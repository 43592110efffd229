// context.ts: which kernel a decoder gets on a device: none on subgroups that a probe did not find as the kernel needs them.
import type { CacheLayout } from '../cache/layout.ts';
import { FeatureMissingError, LimitExceededError } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import type { Known } from '../device/options.ts';
import { checkVariant, type FusedTemplate, type FusedVariant } from '../kernels/fused.ts';
import type { GqaShape } from '../kernels/shape.ts';
import { teamsOf, type SubgroupReport } from '../kernels/probe/subgroupProbe.ts';
import { CONTEXT_OPTIONS, planContext, type ContextOptions, type PlanContext } from './planContext.ts';
import { laneFault } from './laneProbe.ts';
import { probedFacts, probeSubgroups, withoutSubgroups, withSmallestSubgroups } from './probe.ts';
import { entryFor, type Tuning } from './tuning.ts';

/** What a decoder may be told, and what was measured on devices. */
export interface ChoiceOptions extends ContextOptions {
  /**
   * What was measured on devices, as `Tuning.parse` of `gqa-webgpu/tuning` reads it; `auto` takes this device's entry for this class of shapes, if
   * there is one. An entry of this device that is none is a ShapeError; one that needs more than the device has, as it was
   * opened, is passed over, and `context.tunedFault` says why. Entries of other devices are not looked at (`Tuning.faults`
   * does). Default: nothing was.
   */
  readonly tuning?: Tuning;
}

export const CHOICE_OPTIONS = { ...CONTEXT_OPTIONS, tuning: true } satisfies Known<ChoiceOptions>;

/**
 * The context of a decoder, its kernel checked against the device and against what a probe saw of its subgroups. Where they
 * are not as the kernels need them, `auto` takes one that needs none, and passes over what was tuned. Throws ShapeError and
 * LimitExceededError as `checkVariant`, FeatureMissingError for a kernel or variant that was asked for and cannot run.
 */
export async function chooseContext(
  device: GqaDevice,
  shape: GqaShape,
  layout: CacheLayout,
  options: ChoiceOptions,
): Promise<PlanContext> {
  if (options.kernel === 'plain') {
    const { tuning: _, ...plain } = options;
    return planContext(shape, layout, device.facts, plain);
  }
  const asked = options.variant?.template ?? (options.kernel === 'auto' ? undefined : options.kernel);
  if (asked === 'tiles' || asked === 'prefill') return checked(device, shape, layout, device.facts, options);
  const { facts, report } = await probedFacts(device);
  if (report?.fault !== undefined) {
    if (asked) throw refusal(asked, report);
    return { ...checked(device, shape, layout, facts, options), subgroups: report };
  }
  return probedContext(device, shape, layout, facts, options, asked);
}

/** The context by these facts, if a probe bears them out; with smaller teams, or without subgroups, if not. */
async function probedContext(
  device: GqaDevice,
  shape: GqaShape,
  layout: CacheLayout,
  facts: DeviceFacts,
  options: ChoiceOptions,
  asked: FusedTemplate | undefined,
): Promise<PlanContext> {
  const context = checked(device, shape, layout, facts, options);
  const teams = teamsOf(context.variant, facts);
  if (!teams) return context;
  const subgroups = await probeSubgroups(device, teams);
  const larger = teams.lanes > facts.subgroupMinSize && context.variant.template === 'registers';
  const fault = subgroups.fault ?? (larger ? await laneFault(device, context) : undefined);
  if (fault === undefined) return { ...context, subgroups };
  if (larger && !options.variant) {
    return probedContext(device, shape, layout, withSmallestSubgroups(facts), options, asked);
  }
  if (asked) throw refusal(asked, { ...subgroups, fault });
  return {
    ...checked(device, shape, layout, withoutSubgroups(facts), options),
    subgroups: { ...subgroups, fault },
  };
}

function refusal(template: string, { fault }: SubgroupReport): FeatureMissingError {
  return new FeatureMissingError('subgroups', `${template}: the device's subgroups cannot be used: ${fault}`);
}

/** The context by these facts, and by what was tuned as far as a device of these facts can run it. */
function checked(
  { gpu }: GqaDevice,
  shape: GqaShape,
  layout: CacheLayout,
  facts: DeviceFacts,
  { tuning, tuned: given, ...options }: ChoiceOptions,
): PlanContext {
  const entry = given ?? (tuning && entryFor(tuning, gpu.adapterInfo, shape, layout));
  const tunedFault = entry && lack(shape, layout, entry.variant, facts);
  const tuned = tunedFault === undefined ? entry : undefined;
  const context = planContext(shape, layout, facts, { ...options, ...(tuned && { tuned }) });
  checkVariant(shape, layout, context.variant, facts);
  return tunedFault === undefined ? context : { ...context, tunedFault };
}

/** What a device of these facts lacks for a variant. Throws ShapeError for sizes that no device could run. */
function lack(
  shape: GqaShape,
  layout: CacheLayout,
  variant: FusedVariant,
  facts: DeviceFacts,
): string | undefined {
  try {
    checkVariant(shape, layout, variant, facts);
    return undefined;
  } catch (error) {
    if (error instanceof FeatureMissingError || error instanceof LimitExceededError) return error.message;
    throw error;
  }
}
