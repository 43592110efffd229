// lib steps: whole numbers of steps for the quantised types, in exact integer arithmetic on bits of f32. A step's size, the
// scale, is a bfloat16: a half would underflow at 6e-8 and end at 65504.

const NAN_SCALE = 0x7fc0u;
const LEAST_SCALE = 0x0080u; // 2^-126, the least normal number: what is below it may be read as zero

// Bits of the least scale of which `magnitude` is at most 257/256 * steps: exactly `steps`, once that is rounded, and what is
// read back gets the same scale again. 0 for 0, NaN for what is not finite. steps * 257 << shift is less than 2^24, and
// at least half of that.
fn scale_for(magnitude: u32, steps: u32, shift: u32) -> u32 {
  if magnitude == 0u {
    return 0u;
  }
  if magnitude >= INFINITY_BITS {
    return NAN_SCALE;
  }
  let mantissa = ((magnitude & 0x7fffffu) | 0x800000u) << 8u;
  // magnitude / (257/256 * steps) = mantissa / unit * 2^(exponent - 134).
  var unit = (steps * 257u) << shift;
  var exponent = i32(magnitude >> 23u) + i32(shift) - 16;
  if mantissa > unit << 8u {
    unit <<= 1u;
    exponent++;
  }
  // Rounded up to eight bits, 128 to 256, which carries into the exponent.
  let whole = mantissa / unit;
  let quotient = select(whole, whole + 1u, whole * unit != mantissa);
  return u32(max((exponent << 7u) + i32(quotient) - 128, i32(LEAST_SCALE)));
}

// Magnitudes in steps of a positive scale, ties to even; 0 steps of a scale of 0 or NaN.
fn steps_of(magnitude: vec4<u32>, scale: u32) -> vec4<u32> {
  let normal = magnitude >= vec4<u32>(LEAST_NORMAL_BITS);
  let mantissa = (magnitude & vec4<u32>(0x7fffffu)) | select(vec4<u32>(), vec4<u32>(0x800000u), normal);
  let exponent = max(magnitude >> vec4<u32>(23u), vec4<u32>(1u));
  // magnitude / scale = mantissa / (eight bits of scale << shift). From a shift of 18 on it is less than half a step.
  let shift = min(vec4<u32>(16u + (scale >> 7u)) - exponent, vec4<u32>(18u));
  let unit = vec4<u32>((scale & 0x7fu) | 0x80u) << shift;
  let whole = mantissa / unit;
  let twice_rest = 2u * (mantissa - whole * unit);
  let up = (twice_rest > unit) | ((twice_rest == unit) & ((whole & vec4<u32>(1u)) == vec4<u32>(1u)));
  let steps = whole + select(vec4<u32>(), vec4<u32>(1u), up);
  return select(vec4<u32>(), steps, scale != 0u && scale != NAN_SCALE);
}

// Magnitudes that are not zero and less than half a step, where no smaller scale could be had.
fn below_least_scale(steps: vec4<u32>, scale: u32) -> vec4<bool> {
  return (steps == vec4<u32>()) & vec4<bool>(scale == LEAST_SCALE);
}
