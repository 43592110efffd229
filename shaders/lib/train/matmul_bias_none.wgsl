// lib matmul_bias_none: a product of matrices without a bias.

fn bias_of(four: u32) -> vec4<f32> {
  return vec4<f32>();
}
