// lib matmul_bias_added: a product of matrices and a bias for each column.

@group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;

fn bias_of(four: u32) -> vec4<f32> {
  return bias[four];
}
