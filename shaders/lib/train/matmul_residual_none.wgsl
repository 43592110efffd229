// lib matmul_residual_none: a product of matrices by itself.

fn residual_of(at: u32) -> vec4<f32> {
  return vec4<f32>();
}
