// lib queries_private: each invocation of a team keeps its vec4s of the query rows for itself, in registers or on a CPU's stack.
//
// libs query_*

alias Queries = array<array<vec4<f32>, K_LANE_VEC4S>, SCORE_ROWS>;

// Scaled, and zeros past a row's end. Not unrolled: a load is much code on lavapipe.
fn load_queries(work: Work, lane: u32, queries: ptr<function, Queries>) {
  let rows = opaque_count(SCORE_ROWS);
  let vec4s = opaque_count(K_LANE_VEC4S);
  for (var r = 0u; r < rows; r++) { // bounded
    let row = query_start(work, row_of(work, score_row(lane) + r));
    for (var i = 0u; i < vec4s; i++) { // bounded
      let d4 = lane_vec4(lane, i);
      let query = query_vec4(row + min(d4, D4 - 1u)) * step.sm_scale;
      (*queries)[r][i] = select(vec4<f32>(), query, d4 < D4);
    }
  }
}

// The i-th vec4 of an invocation, of the r-th of its rows.
fn query_of(queries: ptr<function, Queries>, lane: u32, r: u32, i: u32) -> vec4<f32> {
  return (*queries)[r][i];
}
