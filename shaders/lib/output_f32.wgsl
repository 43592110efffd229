// lib output_f32: outputs are f32.
//
// out  o  rows of Dv/4 vec4 f32, where lib step says

@group(0) @binding(4) var<storage, read_write> o: array<vec4<f32>>;

fn write_output(at: u32, value: vec4<f32>) {
  o[at] = value;
}
