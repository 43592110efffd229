// lib queries_workgroup: the query rows lie in workgroup memory, so that no invocation needs registers for them.
//
// libs query_*

alias Queries = u32; // nothing is kept

const QUERY_VEC4S = K_LANE_VEC4S * LANES;

var<workgroup> all_queries: array<vec4<f32>, PACKS * PACK * QUERY_VEC4S>; // [row][vec4], zeros past D

// Scaled, and zeros past a row's end.
fn load_queries(work: Work, lane: u32, queries: ptr<function, Queries>) {
  for (var n = lane; n < PACKS * PACK * QUERY_VEC4S; n += WG_SIZE) { // bounded
    let d4 = n % QUERY_VEC4S;
    let row = query_start(work, row_of(work, n / QUERY_VEC4S));
    let query = query_vec4(row + min(d4, D4 - 1u)) * step.sm_scale;
    all_queries[n] = select(vec4<f32>(), query, d4 < D4);
  }
  workgroupBarrier(); // all queries are there
}

// The i-th vec4 of an invocation, of the r-th of its rows.
fn query_of(queries: ptr<function, Queries>, lane: u32, r: u32, i: u32) -> vec4<f32> {
  return all_queries[(score_row(lane) + r) * QUERY_VEC4S + lane_vec4(lane, i)];
}
