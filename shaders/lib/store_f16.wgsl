// lib store_f16: writes to a cache of f16 elements, two to a u32: the nearest, ties to even, subnormal ones too; finite values
// past the largest one saturate to it. Not by pack2x16float: how that rounds, and what it flushes, is the driver's choice.
// Linked for K and for V, as k_* and v_*; `cache` is the one or the other.

const LARGEST = 0x7bffu;
const LARGEST_BITS = 0x477fe000u;      // the same, 65504, as f32
const LEAST_NORMAL_HALF = 0x38800000u; // 2^-14 as f32
const NOT_A_NUMBER = 0x7e00u;

// The nearest normal half of magnitudes between 2^-14 and 65504.
fn normal(magnitude: vec4<u32>) -> vec4<u32> {
  let odd = (magnitude >> vec4<u32>(13u)) & vec4<u32>(1u);
  let rebiased = magnitude - vec4<u32>(112u << 23u); // the exponent's bias is 15 instead of 127
  return (rebiased + vec4<u32>(0xfffu) + odd) >> vec4<u32>(13u);
}

// Magnitudes below 2^-14 in units of 2^-24, the smallest half. From a shift of 25 on nothing is left to round up.
fn subnormal(magnitude: vec4<u32>) -> vec4<u32> {
  let shift = min(vec4<u32>(126u) - (magnitude >> vec4<u32>(23u)), vec4<u32>(25u));
  let mantissa = (magnitude & vec4<u32>(0x7fffffu)) | vec4<u32>(0x800000u);
  let odd = (mantissa >> shift) & vec4<u32>(1u);
  return (mantissa + (vec4<u32>(1u) << (shift - vec4<u32>(1u))) - vec4<u32>(1u) + odd) >> shift;
}

fn store(slot: Slot, scales: u32, bits: vec4<u32>) -> Lost {
  let magnitude = bits & vec4<u32>(0x7fffffffu);
  let small = magnitude < vec4<u32>(LEAST_NORMAL_HALF);
  let nearest = select(normal(magnitude), subnormal(min(magnitude, vec4<u32>(LEAST_NORMAL_HALF))), small);
  let finite = select(nearest, vec4<u32>(LARGEST), magnitude >= vec4<u32>(LARGEST_BITS));
  let special = select(vec4<u32>(0x7c00u), vec4<u32>(NOT_A_NUMBER), magnitude > vec4<u32>(INFINITY_BITS));
  let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
  let halves = sign | select(special, finite, magnitude < vec4<u32>(INFINITY_BITS));
  if slot.fresh {
    let at = slot.row * (ROW_DIM / 2u) + slot.i * 2u;
    cache[at] = halves.x | (halves.y << 16u);
    cache[at + 1u] = halves.z | (halves.w << 16u);
  }
  return lost_of(magnitude, LARGEST_BITS, finite == vec4<u32>());
}
