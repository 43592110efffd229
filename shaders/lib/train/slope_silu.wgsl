// lib slope_silu: the derivative of x times its logistic function.

fn slope(x: f32) -> f32 {
  // Below -80 it is nothing, and exp would overflow. The exponent is spelled as in act_silu: compilers take one exp for both.
  let c = max(x, -80.0);
  let e = exp(min(-x, 80.0));
  let s = 1.0 / (1.0 + e);
  // 1 - s is e * s, without cancellation.
  return s * (1.0 + c * (e * s));
}
