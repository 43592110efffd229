// lib finite_sums: sums over a workgroup that are NaN where something that was summed is not finite, seen by its bits, for WGSL may assume that
// there is no such number. Kernels with this lib have `numbers.parts`, which is never 0.

const INFINITY_BITS = 0x7f800000u;
const NAN_BITS = 0x7fc00000u;

var<workgroup> joined_sums: array<f32, WG_SIZE>;
var<workgroup> joined_bits: array<u32, WG_SIZE>;

// Bits of a number without its sign: INFINITY_BITS and more for what is not finite.
fn magnitude_bits(x: f32) -> u32 {
  return bitcast<u32>(x) & 0x7fffffffu;
}

fn magnitudes_bits(four: vec4<f32>) -> u32 {
  let bits = bitcast<vec4<u32>>(four) & vec4<u32>(0x7fffffffu);
  return max(max(bits.x, bits.y), max(bits.z, bits.w));
}

// The workgroup's sum, in invocation 0; `bits`: the greatest of what an invocation summed.
fn finite_sum(lane: u32, sum: f32, bits: u32) -> f32 {
  joined_sums[lane] = sum;
  joined_bits[lane] = bits;
  workgroupBarrier();
  // A width that is no constant: compilers would write the loop out, and take seconds over its barriers.
  for (var half = min(WG_SIZE / 2u, numbers.parts * WG_SIZE); half > 0u; half /= 2u) {
    if lane < half {
      joined_sums[lane] += joined_sums[lane + half];
      joined_bits[lane] = max(joined_bits[lane], joined_bits[lane + half]);
    }
    workgroupBarrier();
  }
  let all = bitcast<f32>(select(bitcast<u32>(joined_sums[0]), NAN_BITS, joined_bits[0] >= INFINITY_BITS));
  workgroupBarrier(); // before another sum takes its place
  return all;
}
