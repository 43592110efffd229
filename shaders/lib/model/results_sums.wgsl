// lib results_sums: the sums as they are.

fn activated(sum: f32, second: f32) -> f32 {
  return sum;
}
