// lib slope_silu: the derivative of x times its logistic function.

fn slope(x: f32) -> f32 {
  // Below, it is nothing, and exp would overflow.
  let c = max(x, -80.0);
  let e = exp(-c);
  let s = 1.0 / (1.0 + e);
  // 1 - s is e * s, without cancellation.
  return s * (1.0 + c * (e * s));
}
