// lib results_activated: the activation of each sum.

fn activated(sum: f32, second: f32) -> f32 {
  return act(sum);
}
