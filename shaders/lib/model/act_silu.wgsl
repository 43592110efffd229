// lib act_silu: x times its logistic function (swish).

fn act(x: f32) -> f32 {
  return x / (1.0 + exp(min(-x, 80.0)));
}
