// lib sums_of_rows_joined: a workgroup's sums over rows, each invocation with a share of the elements, joined in halves.

var<workgroup> row_sums: array<f32, WG_SIZE * ROWS>;

// First vec4 of an invocation's share, and from each to the next.
fn share_of_row(lane: u32) -> vec2<u32> {
  return vec2<u32>(lane, WG_SIZE);
}

fn keep_sum(r: u32, lane: u32, sum: f32) {
  row_sums[r * WG_SIZE + lane] = sum;
}

fn join_sums(lane: u32) {
  workgroupBarrier();
  // A width that is no constant: compilers would write the loop out, and take seconds over its barriers.
  for (var half = min(WG_SIZE / 2u, numbers.width * WG_SIZE); half > 0u; half /= 2u) {
    if lane < half {
      for (var r = 0u; r < ROWS; r++) { // unroll
        row_sums[r * WG_SIZE + lane] += row_sums[r * WG_SIZE + lane + half];
      }
    }
    workgroupBarrier();
  }
}

fn sum_of_row(r: u32) -> f32 {
  return row_sums[r * WG_SIZE];
}

// Until all have read the sums nothing may replace them.
fn release_sums() {
  workgroupBarrier();
}
