// lib slope_relu_squared: the derivative of the square of what is above zero.

fn slope(x: f32) -> f32 {
  return 2.0 * max(x, 0.0);
}
