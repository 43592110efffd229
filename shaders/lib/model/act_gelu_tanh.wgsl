// lib act_gelu_tanh: GELU by its approximation with tanh.

fn act(x: f32) -> f32 {
  // tanh may overflow where it has long been 1.
  let t = tanh(clamp(0.7978845608028654 * (x + 0.044715 * x * x * x), -15.0, 15.0));
  return 0.5 * x * (1.0 + t);
}
