// lib bias_added: products with a bias. bias: [outputs, MATRICES] f32

@group(0) @binding(6) var<storage, read> bias: array<f32>;

fn with_bias(sum: f32, column: u32, matrix: u32) -> f32 {
  return sum + bias[column * MATRICES + matrix % MATRICES];
}
