// lib sums_of_rows_subgroup: sums over rows, each invocation of a subgroup with a share of the elements.
// libs subgroup_sized
// consts SUBGROUP

var<private> row_sums: array<f32, ROWS>;

// First vec4 of an invocation's share, and from each to the next.
fn share_of_row(lane: u32) -> vec2<u32> {
  return vec2<u32>(lane, SUBGROUP);
}

fn keep_sum(r: u32, lane: u32, sum: f32) {
  row_sums[r] = sum;
}

fn join_sums(lane: u32) {
  for (var r = 0u; r < ROWS; r++) { // unroll
    row_sums[r] = sum_of_subgroup(row_sums[r]);
  }
}

fn sum_of_row(r: u32) -> f32 {
  return row_sums[r];
}

fn release_sums() {
}
