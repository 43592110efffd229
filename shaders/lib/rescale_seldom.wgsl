// lib rescale_seldom: brings o to a round's maxima, where any has grown, which is seldom once a row has seen a few keys.

fn rescale(factors: RowNumbers, state: ptr<function, State>) {
  var least = 1.0;
  for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
    least = min(least, factors[r]);
  }
  if least < 1.0 {
    for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
      for (var i = 0u; i < V_LANE_VEC4S; i++) { // unroll
        (*state).o[r][i] *= factors[r];
      }
    }
  }
}
