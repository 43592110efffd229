// lib output_f16: outputs are f16, two to a word, the nearest, ties to even; past 65504, from 65520 on, infinity. Needs lib halves.
//
// out  o  rows of Dv/4 vec2 u32, where lib step says

@group(0) @binding(4) var<storage, read_write> o: array<vec2<u32>>;

fn write_output(at: u32, value: vec4<f32>) {
  o[at] = packed_halves(bitcast<vec4<u32>>(value));
}
