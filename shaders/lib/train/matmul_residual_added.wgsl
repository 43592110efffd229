// lib matmul_residual_added: a product of matrices added to rows of another buffer.

@group(0) @binding(5) var<storage, read> residual: array<vec4<f32>>;

fn residual_of(at: u32) -> vec4<f32> {
  return residual[at];
}
