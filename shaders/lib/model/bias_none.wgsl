// lib bias_none: products without a bias.

fn with_bias(sum: f32, column: u32, matrix: u32) -> f32 {
  return sum;
}
