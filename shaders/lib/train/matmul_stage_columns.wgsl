// lib matmul_stage_columns: stages a factor of matmul_staged of which a row holds one term of every row or column of the result.

// [terms, LANES]
var<workgroup> staged: array<vec4<f32>, STAGED>;

fn stage(stretch: Stretch, lane: u32) {
  for (var w = lane; w < STAGED; w += WG_SIZE) {
    let term = stretch.term + w / LANES;
    // Past the last column it is other columns' again: such sums are not written.
    let four = min(stretch.first / 4u + w % LANES, stretch.count / 4u - 1u);
    var columns = vec4<f32>();
    if (term < stretch.end) {
      columns = load(term * (stretch.count / 4u) + four);
    }
    staged[w] = columns;
  }
}

// Four terms of four rows or columns: a column of the matrix for each term.
fn terms(four: u32, place: u32) -> mat4x4<f32> {
  let at = four * 4u * LANES + place;
  return mat4x4<f32>(staged[at], staged[at + LANES], staged[at + 2u * LANES], staged[at + 3u * LANES]);
}
