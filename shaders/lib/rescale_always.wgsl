// lib rescale_always: brings o to a round's maxima: a GPU's way, which a branch would keep from loading V together with K.

fn rescale(factors: RowNumbers, state: ptr<function, State>) {
  for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
    for (var i = 0u; i < V_LANE_VEC4S; i++) { // unroll
      (*state).o[r][i] *= factors[r];
    }
  }
}
