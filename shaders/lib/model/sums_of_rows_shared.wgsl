// lib sums_of_rows_shared: sums over the rows that invocations side by side have in common, each with a share of the elements.

var<workgroup> row_sums: array<f32, GROUP_ROWS * COLUMN_LANES>;

// Where the sums of the invocation's first row are.
var<private> row_sums_at: u32;

// First vec4 of an invocation's share, and from each to the next.
fn share_of_row(lane: u32) -> vec2<u32> {
  row_sums_at = lane / COLUMN_LANES * ROWS * COLUMN_LANES;
  return vec2<u32>(lane % COLUMN_LANES, COLUMN_LANES);
}

fn keep_sum(r: u32, lane: u32, sum: f32) {
  row_sums[row_sums_at + r * COLUMN_LANES + lane % COLUMN_LANES] = sum;
}

fn join_sums(lane: u32) {
  workgroupBarrier();
}

fn sum_of_row(r: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < COLUMN_LANES; i++) { // unroll
    sum += row_sums[row_sums_at + r * COLUMN_LANES + i];
  }
  return sum;
}

// Until all have read the sums nothing may replace them.
fn release_sums() {
  workgroupBarrier();
}
