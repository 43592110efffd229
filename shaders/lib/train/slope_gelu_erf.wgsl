// lib slope_gelu_erf: the derivative of GELU by the error function: the normal distribution, and x times its density.
// libs act_gelu_erf

fn slope(x: f32) -> f32 {
  // Beyond, it is 0 or 1, and squares would overflow.
  let c = clamp(x, -13.0, 13.0);
  return 0.5 * (1.0 + erf(c * 0.7071067811865476)) + c * 0.3989422804014327 * exp(-0.5 * c * c);
}
