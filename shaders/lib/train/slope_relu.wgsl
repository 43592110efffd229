// lib slope_relu: the derivative of what is above zero; 0 at zero.

fn slope(x: f32) -> f32 {
  return select(0.0, 1.0, x > 0.0);
}
