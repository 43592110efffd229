// lib matmul_stage_rows: stages a factor of matmul_staged of which a row holds the terms of one row or column of the result.

// [STEP_FOURS, 4, LANES]: of every four rows each one's vec4 by itself, so that invocations side by side read vec4s side by side.
var<workgroup> staged: array<vec4<f32>, STAGED>;

fn stage(stretch: Stretch, lane: u32) {
  for (var w = lane; w < STAGED; w += WG_SIZE) {
    let row = w / STEP_FOURS;
    let four = w % STEP_FOURS;
    // Past the last row it is that row's again: such sums are not written.
    let at = min(stretch.first + row, stretch.count - 1u) * (stretch.end / 4u) + stretch.term / 4u + four;
    var values = vec4<f32>();
    if (stretch.term + 4u * four < stretch.end) {
      values = load(at);
    }
    staged[(four * 4u + row % 4u) * LANES + row / 4u] = values;
  }
}

// Four terms of four rows or columns: a column of the matrix for each term.
fn terms(four: u32, place: u32) -> mat4x4<f32> {
  let at = four * 4u * LANES + place;
  return transpose(mat4x4<f32>(staged[at], staged[at + LANES], staged[at + 2u * LANES], staged[at + 3u * LANES]));
}
