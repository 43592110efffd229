// lib out_final: the only split's result is the output itself.
// out  o   [rows, D/4] vec4
//      lse [rows]      f32   natural log-sum-exp, LSE_EMPTY for a row with nothing to attend to

@group(0) @binding(4) var<storage, read_write> o: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;

fn write_state(row: u32, split: u32, i: u32, sum: vec4<f32>, m: f32, l: f32) {
  o[row * (HEAD_DIM / 4u) + i] = select(vec4<f32>(), sum / l, l > 0.0);
  if i == 0u {
    lse[row] = lse_of(m, l);
  }
}
