// lib row_sums_shared: sums over a row that LANES invocations have a share of each (GPUs), joined in workgroup memory. Each of them adds
// all shares in the same order: one barrier does, where halving would take one for each half.
//
// consts LANES WG_SIZE

var<workgroup> shares: array<vec2<f32>, WG_SIZE>;

fn row_sum(lane: u32, sums: vec2<f32>) -> vec2<f32> {
  workgroupBarrier(); // shares of an earlier sum have been read
  shares[lane] = sums;
  workgroupBarrier(); // all shares are there
  let first = lane - lane % LANES;
  var sum = vec2<f32>();
  for (var i = 0u; i < LANES; i++) {
    sum += shares[first + i];
  }
  return sum;
}
