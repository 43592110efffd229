// lib norm_bias_added: a norm with a bias. bias: [width] f32 as vec4s

@group(0) @binding(5) var<storage, read> bias: array<vec4<f32>>;

fn with_bias(four: vec4<f32>, i: u32) -> vec4<f32> {
  return four + bias[i];
}
