// lib slope_gelu_tanh: the derivative of GELU by its approximation with tanh, which is x times the logistic function of 2u:
// u = sqrt(2 / pi) * (x + 0.044715 x^3).

fn slope(x: f32) -> f32 {
  // Beyond, it is 0 or 1, and exp would overflow.
  let c = clamp(x, -8.0, 8.0);
  let u = 0.7978845608028654 * (c + 0.044715 * c * c * c);
  let e = exp(-2.0 * u);
  let s = 1.0 / (1.0 + e);
  let rise = 1.5957691216057308 * (1.0 + 0.134145 * c * c);
  // 1 - s is e * s, without cancellation.
  return s + c * rise * s * (e * s);
}
