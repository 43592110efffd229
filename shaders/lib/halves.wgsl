// lib halves: f32 to f16 and back by integer arithmetic on bits: the nearest, ties to even, subnormal ones too. Not by
// pack2x16float and unpack2x16float: how they round, what they flush and what they make of large numbers is the driver's choice.

const HALF_INFINITY = 0x7c00u;
const HALF_NAN = 0x7e00u;
const LEAST_NORMAL_HALF = 0x38800000u; // 2^-14 as f32

// f32 as halves, two to a word; NaN stays NaN, and what would round past 65504 becomes infinity.
fn packed_halves(bits: vec4<u32>) -> vec2<u32> {
  let magnitude = bits & vec4<u32>(0x7fffffffu);
  let halves = select(nearest_halves(magnitude), vec4<u32>(HALF_NAN), magnitude > vec4<u32>(0x7f800000u));
  let signed = halves | ((bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u));
  return signed.xz | (signed.yw << vec2<u32>(16u));
}

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

// The f32 that halves are, bit for bit; NaN stays NaN.
fn wide_halves(halves: vec4<u32>) -> vec4<u32> {
  let magnitude = halves & vec4<u32>(0x7fffu);
  let shifted = magnitude << vec4<u32>(13u);
  let special = select(vec4<u32>(), vec4<u32>(0x7f800000u), magnitude >= vec4<u32>(HALF_INFINITY));
  let normal = (shifted + vec4<u32>(112u << 23u)) | special; // the exponent's bias is 127 instead of 15
  // The highest bit of a subnormal one, in units of 2^-24, becomes the implied one.
  let top = firstLeadingBit(max(magnitude, vec4<u32>(1u)));
  let subnormal = ((top + vec4<u32>(103u)) << vec4<u32>(23u)) | ((magnitude << (vec4<u32>(23u) - top)) & vec4<u32>(0x7fffffu));
  let small = select(subnormal, vec4<u32>(), magnitude == vec4<u32>());
  let wide = select(normal, small, magnitude < vec4<u32>(0x400u));
  return wide | ((halves & vec4<u32>(0x8000u)) << vec4<u32>(16u));
}
