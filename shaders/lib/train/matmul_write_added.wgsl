// lib matmul_write_added: results of a product of matrices are added to what is there.

@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

fn write(at: u32, result: vec4<f32>) {
  y[at] += result;
}
