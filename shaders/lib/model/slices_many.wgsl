// lib slices_many: the inputs of an output are shared out between invocations of a workgroup, whose sums are joined: for GPUs.

var<workgroup> partials: array<f32, WG_SIZE * SUMS>;

fn slice_of(lane: u32) -> u32 {
  return lane / LANES;
}

fn conclude(first: u32, column: u32, lane: u32, sums: ptr<function, array<Sum, SUMS>>) {
  for (var w = 0u; w < WORDS; w++) { // unroll
    for (var r = 0u; r < ROWS; r++) { // unroll
      partials[(w * ROWS + r) * WG_SIZE + lane] = total((*sums)[w * ROWS + r]) * input_scale(r);
    }
  }
  workgroupBarrier();
  // The results of the workgroup, dealt out to its slices.
  for (var i = lane / LANES; i < COLUMNS * ROWS; i += SLICES) { // bounded
    let c = i / ROWS;
    let r = i % ROWS;
    let second = (COLUMNS * MATRICES - COLUMNS + c) * ROWS + r;
    finish(first + r, column + c * LANES, joined(i, lane), joined(second, lane));
  }
}

// The sum of all slices.
fn joined(s: u32, lane: u32) -> f32 {
  var sum = 0.0;
  for (var slice = 0u; slice < SLICES; slice++) {
    sum += partials[s * WG_SIZE + slice * LANES + lane % LANES];
  }
  return sum;
}
