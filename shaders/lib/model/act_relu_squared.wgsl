// lib act_relu_squared: the square of what is above zero.

fn act(x: f32) -> f32 {
  let above = max(x, 0.0);
  return above * above;
}
