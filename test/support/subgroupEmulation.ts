// subgroupEmulation.ts: subgroups of any size on any device: shaders/lib/subgroup.wgsl again, in workgroup memory.
import source from '../../shaders/attention/decode_registers.wgsl?raw';
import probeSource from '../../shaders/probe/subgroup_probe.wgsl?raw';
import { link } from '../../src/device/wgsl.ts';
import { registersConsts, registersLibs, type RegistersVariant } from '../../src/kernels/decodeRegisters.ts';
import type { Kernel } from '../../src/kernels/kernel.ts';
import { type CacheFormat, STEP } from '../../src/kernels/lib.ts';
import type { GqaShape } from '../../src/kernels/shape.ts';
import type { TeamSizes } from '../../src/kernels/probe/subgroupProbe.ts';
import { F32_ROWS } from './rowFormats.ts';

/** How a device deals a workgroup's invocations to subgroups; WGSL leaves it open. */
export interface Subgroups {
  readonly size: number;
  /** Place of each invocation: subgroup * size + number within the subgroup. No two have the same; some may be free. */
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

/** The last subgroup first; only where all are full. */
export function renumbered(wgSize: number, size: number): number[] {
  const count = wgSize / size;
  return byIndex(wgSize).map((i) => (count - 1 - Math.floor(i / size)) * size + (i % size));
}

/** Subgroups of which only the first `active` places are taken. */
export function partlyFilled(wgSize: number, size: number, active: number): number[] {
  return byIndex(wgSize).map((i) => Math.floor(i / active) * size + (i % active));
}

/** Full subgroups whose numbers leave out every second. */
export function everySecond(wgSize: number, size: number): number[] {
  return byIndex(wgSize).map((i) => 2 * Math.floor(i / size) * size + (i % size));
}

/** A first subgroup that leaves `free` places to a last one, which takes up what is left. */
export function ragged(wgSize: number, size: number, free: number): number[] {
  return byIndex(wgSize).map((i) => (i < size - free ? i : i + free));
}

/** Invocations on every second place of subgroups of twice as many. */
export function withHoles(wgSize: number): number[] {
  return byIndex(wgSize).map((i) => 2 * i);
}

// What lib/subgroup.wgsl promises and no more. Size and places are run-time numbers, so that a shader is compiled once
// for all of them: they are the last entries of the step's table.
const EMULATION = `
struct Invocation {
  @builtin(local_invocation_index) index: u32,
}

var<workgroup> exchanged: array<u32, WG_SIZE>; // [invocation]

// Place, subgroup size, and places in all.
fn place_in_subgroup(me: Invocation) -> vec3<u32> {
  return step.table[arrayLength(&step.table) - WG_SIZE + me.index].xyz;
}

fn size_of(me: Invocation) -> u32 {
  return place_in_subgroup(me).y;
}

fn team_of(me: Invocation) -> u32 {
  let at = place_in_subgroup(me);
  return (at.x / at.y) * (at.y / LANES) + (at.x % at.y) / LANES;
}

fn lane_of(me: Invocation) -> u32 {
  let at = place_in_subgroup(me);
  return at.x % at.y % LANES;
}

fn exchange(me: Invocation, x: f32, mask: u32) -> f32 {
  let at = place_in_subgroup(me);
  return bitcast<f32>(read_from(me, bitcast<u32>(x), (at.x % at.y) ^ mask));
}

fn quad_value(me: Invocation, x: f32, source: u32) -> f32 {
  return bitcast<f32>(quad_index(me, bitcast<u32>(x), source));
}

fn quad_index(me: Invocation, x: u32, source: u32) -> u32 {
  let at = place_in_subgroup(me);
  return read_from(me, x, at.x % at.y / 4u * 4u + source);
}

fn invocation_plus(me: Invocation, zero: u32) -> Invocation {
  return Invocation(me.index ^ zero);
}

// x of another invocation of the subgroup; the bits of NaN where there is none.
fn read_from(me: Invocation, x: u32, lane: u32) -> u32 {
  exchanged[me.index] = x;
  workgroupBarrier(); // all are there
  let at = place_in_subgroup(me);
  let other = min(at.x - at.x % at.y + lane, at.z - 1u);
  let holder = step.table[arrayLength(&step.table) - WG_SIZE - at.z + other].x;
  let there = lane < at.y && holder < WG_SIZE;
  let bits = select(0x7fc00000u, exchanged[min(holder, WG_SIZE - 1u)], there);
  workgroupBarrier(); // before the next exchange
  return bits;
}
`;

/** decode_registers with emulated subgroups in place of the device's; runs with `subgroupTable` behind its items. */
export function emulatedRegisters(shape: GqaShape, cache: CacheFormat, variant: RegistersVariant): Kernel {
  const libs = [EMULATION, ...registersLibs(shape, cache, variant, F32_ROWS)];
  return {
    name: 'decode_registers',
    source: link({ kernel: source, libs, consts: registersConsts(shape, cache, variant) }),
  };
}

/** subgroup_probe with emulated subgroups; its step is `subgroupTable` alone. */
export function emulatedProbe({ wgSize, lanes }: TeamSizes): Kernel {
  const binding = '@group(0) @binding(3) var<storage, read> step: Step;';
  const consts = { WG_SIZE: wgSize, LANES: lanes, QUAD: 4, GROUP_SIZE: 1, CAUSAL: false, MASKED: false };
  return {
    name: 'subgroup_probe',
    source: link({ kernel: probeSource, libs: [STEP, binding, EMULATION], consts }),
  };
}

const NOBODY = 0xffffffff;

/** The entries that the emulation reads from the end of a step's table: who holds each place, and each one's place. */
export function subgroupTable({ size, places }: Subgroups): number[] {
  const count = (Math.floor(Math.max(...places) / size) + 1) * size;
  const holders = Array.from({ length: count }, () => NOBODY);
  places.forEach((place, index) => (holders[place] = index));
  return [
    ...holders.flatMap((holder) => [holder, 0, 0, 0]),
    ...places.flatMap((place) => [place, size, count, 0]),
  ];
}
