// subgroupEmulation.ts: subgroups of any size on any device: shaders/lib/subgroup.wgsl again, in workgroup memory.
import source from '../../shaders/decode_registers.wgsl?raw';
import { link } from '../../src/device/wgsl.ts';
import { registersConsts, type RegistersVariant } from '../../src/kernels/decodeRegisters.ts';
import type { Kernel } from '../../src/kernels/kernel.ts';
import { cacheLibs, NUMBERS, STEP, WORK, type CacheFormat } from '../../src/kernels/lib.ts';
import type { GqaShape } from '../../src/kernels/shape.ts';

/** How a device deals a workgroup's invocations to subgroups; WGSL leaves it open. */
export interface Subgroups {
  readonly size: number;
  /** Place of each invocation: subgroup * size + number within the subgroup. A permutation. */
  readonly places: readonly number[];
}

/** Invocation i at place i, as most devices do. */
export function byIndex(wgSize: number): number[] {
  return Array.from({ length: wgSize }, (_, i) => i);
}

/** Backwards, and neighbours far apart: an odd factor permutes the numbers below a power of two. */
export function scattered(wgSize: number): number[] {
  return byIndex(wgSize).map((i) => wgSize - 1 - ((i * 5) % wgSize));
}

// What lib/subgroup.wgsl promises and no more. Size and places are run-time numbers, so that a shader is compiled once
// for all of them: they are the last entries of the step's table.
const EMULATION = `
struct Invocation {
  @builtin(local_invocation_index) index: u32,
}

var<workgroup> exchanged: array<f32, WG_SIZE>; // [place]

// Place and subgroup size.
fn place_of(me: Invocation) -> vec2<u32> {
  return step.table[arrayLength(&step.table) - WG_SIZE + me.index].xy;
}

fn team_of(me: Invocation) -> u32 {
  let at = place_of(me);
  return (at.x / at.y) * (at.y / LANES) + (at.x % at.y) / LANES;
}

fn lane_of(me: Invocation) -> u32 {
  let at = place_of(me);
  return at.x % at.y % LANES;
}

fn exchange(me: Invocation, x: f32, mask: u32) -> f32 {
  let at = place_of(me);
  return read_from(at, x, (at.x % at.y) ^ mask);
}

fn broadcast(me: Invocation, x: f32, source: u32) -> f32 {
  let at = place_of(me);
  return read_from(at, x, at.x % at.y - lane_of(me) + source);
}

// x of another invocation of the subgroup; NaN where there is none.
fn read_from(at: vec2<u32>, x: f32, lane: u32) -> f32 {
  exchanged[at.x] = x;
  workgroupBarrier(); // all are there
  let other = at.x - at.x % at.y + lane;
  let there = lane < at.y && other < WG_SIZE;
  let bits = select(0x7fc00000u, bitcast<u32>(exchanged[min(other, WG_SIZE - 1u)]), there);
  workgroupBarrier(); // before the next exchange
  return bitcast<f32>(bits);
}
`;

/** decode_registers with emulated subgroups in place of the device's; runs with `subgroupTable` behind its items. */
export function emulatedRegisters(shape: GqaShape, cache: CacheFormat, variant: RegistersVariant): Kernel {
  const libs = [STEP, NUMBERS, WORK, EMULATION, ...cacheLibs(cache)];
  return {
    name: 'decode_registers',
    source: link({ kernel: source, libs, consts: registersConsts(shape, cache, variant) }),
  };
}

/** The entries that the emulation reads from the end of a step's table. */
export function subgroupTable({ size, places }: Subgroups): number[] {
  return places.flatMap((place) => [place, size, 0, 0]);
}
