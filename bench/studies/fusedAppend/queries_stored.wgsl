// lib queries_stored: turned queries, for a step that attends in another dispatch.
//
// out  turned_q  rows of D, where those of q lie

@group(0) @binding(14) var<storage, read_write> turned_q: array<vec4<f32>>;

fn store_queries(work: Work, at: Lane) {
  let turns = lane_turns(work, at);
  for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
    let row = query_start(work, at.row + r);
    for (var w = 0u; w < K_LANE_WORDS; w++) { // unroll
      for (var i = 0u; i < K_WORD_VEC4S; i++) { // unroll
        let d4 = min((at.lane + w * LANES) * K_WORD_VEC4S + i, D4 - 1u);
        turned_q[row + d4] = turned_query(row, d4, turns[w * K_WORD_VEC4S + i]);
      }
    }
  }
}
