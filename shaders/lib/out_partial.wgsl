// lib out_partial: a split's result is a partial state, for decode_merge to combine.
// out  partial_o  [rows, num_splits, D/4] vec4   o, not yet divided by l
//      partial_ml [rows, num_splits]      vec2   running maximum m and sum l

@group(0) @binding(4) var<storage, read_write> partial_o: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> partial_ml: array<vec2<f32>>;

fn write_state(row: u32, split: u32, i: u32, o: vec4<f32>, m: f32, l: f32) {
  let at = row * step.num_splits + split;
  partial_o[at * (HEAD_DIM / 4u) + i] = o;
  if i == 0u {
    partial_ml[at] = vec2<f32>(m, l);
  }
}
