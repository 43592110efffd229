// lib halves: f32 to f16 by integer arithmetic on bits: the nearest, ties to even, subnormal ones too. Not by pack2x16float: how
// that rounds, what it flushes and what it makes of large numbers is the driver's choice.

const HALF_INFINITY = 0x7c00u;
const HALF_NAN = 0x7e00u;
const LEAST_NORMAL_HALF = 0x38800000u; // 2^-14 as f32

// Halves of magnitudes that are not NaN; those that would round past 65504 become infinity.
fn nearest_halves(magnitude: vec4<u32>) -> vec4<u32> {
  let small = magnitude < vec4<u32>(LEAST_NORMAL_HALF);
  let halves = select(normal_halves(magnitude), subnormal_halves(min(magnitude, vec4<u32>(LEAST_NORMAL_HALF))), small);
  return min(halves, vec4<u32>(HALF_INFINITY));
}

// From 2^-14 on.
fn normal_halves(magnitude: vec4<u32>) -> vec4<u32> {
  let odd = (magnitude >> vec4<u32>(13u)) & vec4<u32>(1u);
  let rebiased = magnitude - vec4<u32>(112u << 23u); // the exponent's bias is 15 instead of 127
  return (rebiased + vec4<u32>(0xfffu) + odd) >> vec4<u32>(13u);
}

// Up to 2^-14, in units of 2^-24, the smallest half. From a shift of 25 on nothing is left to round up.
fn subnormal_halves(magnitude: vec4<u32>) -> vec4<u32> {
  let shift = min(vec4<u32>(126u) - (magnitude >> vec4<u32>(23u)), vec4<u32>(25u));
  let mantissa = (magnitude & vec4<u32>(0x7fffffu)) | vec4<u32>(0x800000u);
  let odd = (mantissa >> shift) & vec4<u32>(1u);
  return (mantissa + (vec4<u32>(1u) << (shift - vec4<u32>(1u))) - vec4<u32>(1u) + odd) >> shift;
}
