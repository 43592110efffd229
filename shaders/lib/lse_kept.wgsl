// lib lse_kept: the log-sum-exp of each row is written.
//
// out  lse [rows] f32   natural; LSE_EMPTY for a row with nothing to attend to

@group(0) @binding(6) var<storage, read_write> lse: array<f32>;

fn write_lse(row: u32, value: f32) {
  lse[row] = value;
}
