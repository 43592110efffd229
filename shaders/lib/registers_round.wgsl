// lib registers_round: what decode_registers does with a round's keys: scores, their sums over the team, weights, the weighted sum.
//
// Called in a round, on the kernel's own types; the steps are in its header.
// consts those of decode_registers
// libs   numbers scores registers_rows subgroup, elements_* and scales_* as k_* and v_*

fn score(
  at: Lane,
  places: Places,
  queries: Queries,
  zeros: QueryZeros,
  constants: Constants,
  keys: ptr<function, Keys>,
  scores: ptr<function, Scores>,
) {
  for (var w = 0u; w < K_LANE_WORDS; w++) { // unroll
    if K_LATE {
      load_keys(at, places, w, keys);
    }
    for (var g = 0u; g < TOKEN_GROUPS; g++) { // unroll
      score_word(at, places, queries, zeros, constants, *keys, w, g * TOKEN_GROUP, scores);
    }
  }
}

// Adds the products of the invocation's w-th words: of TOKEN_GROUP keys, from the first-th on, with all rows.
fn score_word(
  at: Lane,
  places: Places,
  queries: Queries,
  zeros: QueryZeros,
  constants: Constants,
  keys: Keys,
  w: u32,
  first: u32,
  scores: ptr<function, Scores>,
) {
  var products = array<array<f32, TOKEN_GROUP>, TEAM_ROWS>();
  for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
    for (var t = 0u; t < TOKEN_GROUP; t++) { // unroll
      products[r][t] = zeros[r][w];
    }
  }
  for (var i = 0u; i < K_WORD_VEC4S; i++) { // unroll
    var k = array<vec4<f32>, TOKEN_GROUP>();
    for (var t = 0u; t < TOKEN_GROUP; t++) { // unroll
      k[t] = k_unpack(keys[first + t][w], i);
    }
    for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
      var query = queries[r][w * K_WORD_VEC4S + i];
      if Q_SHARED {
        query = shared_vec4s[constants.shared_q + (r * K_LANE_VEC4S + w * K_WORD_VEC4S + i) * LANES];
      }
      for (var t = 0u; t < TOKEN_GROUP; t++) { // unroll
        products[r][t] += dot(query, k[t]);
      }
    }
  }
  for (var t = 0u; t < TOKEN_GROUP; t++) { // unroll
    let scale = k_word_scale(constants.k_scales, places[first + t] + k_step(at, w));
    for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
      (*scores)[r * TOKENS + first + t] += products[r][t] * scale;
    }
  }
}

// Sums the team's partial scores. Each halving exchanges half of the values for the other half of another invocation's of the
// quad: fewer exchanges than sums of each value would take. The rest adds up what quads hold.
fn reduce(me: Invocation, lane: u32, scores: ptr<function, Scores>) {
  for (var g = 0u; g < HALVINGS; g++) { // unroll
    let half = VALUES >> (g + 1u);
    let upper = (lane & (1u << g)) != 0u;
    for (var k = 0u; k < HALF_VALUES; k++) { // unroll
      if k < half {
        let low = (*scores)[k];
        let high = (*scores)[k + half];
        (*scores)[k] = select(low, high, upper) + exchange(me, select(high, low, upper), 1u << g);
      }
    }
  }
  for (var g = 0u; g < SUMMINGS; g++) { // unroll
    for (var k = 0u; k < HELD; k++) { // unroll
      (*scores)[k] += exchange(me, (*scores)[k], 1u << (HALVINGS + g));
    }
  }
}

// Turns the held scores into weights, and brings m and l to the round's maxima; what o has to be multiplied by. In masked rounds
// hidden keys keep NEG_MAX, which no weight is: their values may be NaN, of which 0 times is NaN too.
fn weigh(
  me: Invocation,
  work: Work,
  at: Lane,
  first: u32,
  scale_rows: HeldRows,
  constants: Constants,
  masked: bool,
  scores: ptr<function, Scores>,
  state: ptr<function, State>,
) -> RowNumbers {
  var shrink = array<f32, HELD_ROWS>();
  for (var h = 0u; h < HELD_ROWS; h++) { // unroll
    let row = query_row(work, at.row + at.held_row + h);
    var m = (*state).m[h];
    for (var t = 0u; t < HELD_TOKENS; t++) { // unroll
      let key = first + t * RUNS;
      let scale = k_row_scale(constants.k_scales, scale_rows[t]);
      var visible = key <= constants.last.held;
      let token = key - kv_scale_cursor(work.kv_head, 0u);
      if masked {
        visible = key < constants.visible[h] && shows(row, token);
      }
      let score = finish_score((*scores)[h * HELD_TOKENS + t] * scale, row, token, visible);
      (*scores)[h * HELD_TOKENS + t] = score;
      m = max(m, score);
    }
    for (var mask = ROW_LANES; mask < ROW_LANES * TOKEN_LANES; mask *= 2u) {
      m = max(m, exchange(me, m, mask));
    }
    shrink[h] = exp((*state).m[h] - m);
    (*state).m[h] = m;
    (*state).l[h] *= shrink[h];
    for (var t = 0u; t < HELD_TOKENS; t++) { // unroll
      let score = (*scores)[h * HELD_TOKENS + t];
      let weight = select(exp(score - m), 0.0, is_hidden(score));
      (*state).l[h] += weight;
      let scaled = weight * v_row_scale(constants.v_scales, scale_rows[t]);
      (*scores)[h * HELD_TOKENS + t] = select(scaled, NEG_MAX, masked && is_hidden(score));
    }
  }
  return all_rows(me, shrink);
}

// A number of each held row, for all rows.
fn all_rows(me: Invocation, held: array<f32, HELD_ROWS>) -> RowNumbers {
  var all = RowNumbers();
  for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
    all[r] = quad_value(me, held[r % HELD_ROWS], row_owner(r));
  }
  return all;
}

// The first invocation of a quad that holds row r.
fn row_owner(r: u32) -> u32 {
  return reversed(r / HELD_ROWS, ROW_LANES);
}

// The first invocation of a quad that holds the team's t-th key.
fn key_owner(t: u32) -> u32 {
  return ROW_LANES * reversed(t / HELD_TOKENS, TOKEN_LANES);
}

// Adds the round's weighted values, without V's zero.
fn mix(
  me: Invocation,
  at: Lane,
  places: Places,
  constants: Constants,
  held: Scores,
  masked: bool,
  values: ptr<function, Values>,
  state: ptr<function, State>,
) {
  var weights = Scores();
  for (var t = 0u; t < TOKENS; t++) { // unroll
    for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
      let own = held[(r % HELD_ROWS) * HELD_TOKENS + t % HELD_TOKENS];
      weights[r * TOKENS + t] = quad_value(me, own, row_owner(r) + key_owner(t));
    }
  }
  for (var w = 0u; w < V_LANE_WORDS; w++) { // unroll
    if V_LATE {
      load_values(at, places, w, values);
    }
    var scaled = Scores();
    var zeros = RowNumbers();
    for (var t = 0u; t < TOKENS; t++) { // unroll
      let scale = v_word_scale(constants.v_scales, places[t] + v_step(at, w));
      for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
        let weight = weights[r * TOKENS + t];
        scaled[r * TOKENS + t] = select(weight * scale, 0.0, masked && is_hidden(weight));
        if V_ZERO != 0.0 {
          zeros[r] -= V_ZERO * scaled[r * TOKENS + t];
        }
      }
    }
    for (var i = 0u; i < V_WORD_VEC4S; i++) { // unroll
      for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
        if V_ZERO != 0.0 {
          (*state).o[r][w * V_WORD_VEC4S + i] += vec4<f32>(zeros[r]);
        }
      }
      for (var t = 0u; t < TOKENS; t++) { // unroll
        let v = v_unpack((*values)[t][w], i);
        for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
          if !masked || !is_hidden(weights[r * TOKENS + t]) {
            (*state).o[r][w * V_WORD_VEC4S + i] += scaled[r * TOKENS + t] * v;
          }
        }
      }
    }
  }
}
