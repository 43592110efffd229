// lib join_partials: sums of a workgroup's numbers, for each of its rows, in halves: in the first place of each row at the end.

fn join_partials(lane: u32) {
  workgroupBarrier();
  for (var half = WG_SIZE / 2u; half > 0u; half /= 2u) {
    if lane < half {
      for (var r = 0u; r < ROWS; r++) { // unroll
        partials[r * WG_SIZE + lane] += partials[r * WG_SIZE + lane + half];
      }
    }
    workgroupBarrier();
  }
}
