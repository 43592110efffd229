// decode_registers.wgsl: one KV head's query rows attend to one item of the plan, all in registers: no barrier in the loop.
//
// A team of LANES invocations of a subgroup shares each key: an invocation holds its words of K, V and o, of TEAM_ROWS query
// rows, and of q too unless Q_SHARED, where it reads them from workgroup memory. Per round a team takes TOKENS keys:
//   1. load     its words of K and V of all of them, before any is used
//   2. score    partial dot products of every row with every key; each word is unpacked once, for all rows
//   3. reduce   sums over the team. Within quads a butterfly halves the number of values with every exchange: at its end
//               an invocation has the finished scores of few rows and keys, its own, the same in all quads
//   4. weigh    exp(score - m) with m the running maximum of the row: once per score and quad
//   5. mix      each weight, broadcast within the quad, times the invocation's words of V
// Rows that do not fit one team are spread over BLOCKS teams that read the same keys at the same time. Teams with the
// same rows, RUNS of them, take neighbouring keys, and merge their states through workgroup memory at the end.
//
// in   q       rows of D                      lib query_*, where lib step says
//      k_cache [B, Hkv, capacity, D]          words of 4 to 16 bytes, libs words_*, elements_*, scales_* as k_*
//      v_cache [B, Hkv, capacity, Dv]         words of 4 to 16 bytes, the same libs as v_*
//      step    Step                           lib step
// out  the state of each row                  lib work
// grid lib work; a workgroup owns ROW_BLOCK rows of a KV head in one item
// consts HEAD_DIM V_DIM GROUP_SIZE NUM_KV_HEADS CAUSAL MASKED ROW_BLOCK ONE_BLOCK, and those of src/kernels/decodeRegisters.ts
// libs step numbers scores work registers_rows registers_round registers_merge subgroup, one of rows_*, one of query_*, one of rescale_*, one of place_*, one each of words_*, elements_* and scales_* as k_* and v_*

@group(0) @binding(1) var<storage, read> k_cache: array<KWord>;
@group(0) @binding(2) var<storage, read> v_cache: array<VWord>;
@group(0) @binding(3) var<storage, read> step: Step;

const D4 = HEAD_DIM / 4u;
const TEAMS = WG_SIZE / LANES;
const RUNS = TEAMS / BLOCKS;
const ROUND = RUNS * TOKENS; // keys of a round, of all runs
const ROW_VEC4S = LANES * V_LANE_VEC4S; // of a row of o with what lanes past its end hold

// Where the butterfly leaves the scores of a round: of each quad, ROW_LANES invocations hold HELD_ROWS rows each, and for
// each of those rows TOKEN_LANES invocations HELD_TOKENS keys each.
const ROW_LANES = PAD_ROWS / HELD_ROWS;
const TOKEN_LANES = TOKENS / HELD_TOKENS;

const_assert LANES >= 4u && WG_SIZE % LANES == 0u && TEAMS % BLOCKS == 0u;
const_assert PAD_ROWS >= TEAM_ROWS && VALUES == PAD_ROWS * TOKENS && HALF_VALUES == VALUES / 2u;
const_assert ROW_LANES * TOKEN_LANES == (1u << HALVINGS) && HALVINGS <= 2u && (1u << (HALVINGS + SUMMINGS)) == LANES;
const_assert HELD == HELD_ROWS * HELD_TOKENS;
const_assert TOKEN_GROUP * TOKEN_GROUPS == TOKENS;
const_assert ROW_BLOCK == TEAM_ROWS * BLOCKS;
const_assert K_LANE_WORDS * LANES >= K_ROW_WORDS && K_LANE_VEC4S == K_LANE_WORDS * K_WORD_VEC4S;
const_assert V_LANE_WORDS * LANES >= V_ROW_WORDS && V_LANE_VEC4S == V_LANE_WORDS * V_WORD_VEC4S;
const_assert !Q_SHARED || SHARED_VEC4S >= ROW_BLOCK * LANES * K_LANE_VEC4S;
const_assert RUNS % RUN_GROUP == 0u && SHARED_VEC4S >= TEAMS * MERGE_ROWS * ROW_VEC4S;

alias Queries = array<array<vec4<f32>, K_LANE_VEC4S>, TEAM_ROWS>;
alias QueryZeros = array<array<f32, K_LANE_WORDS>, TEAM_ROWS>;
alias Keys = array<array<KWord, K_LANE_WORDS>, TOKENS>;
alias Values = array<array<VWord, V_LANE_WORDS>, TOKENS>;
alias Places = array<u32, TOKENS>; // index of the invocation's first word of each of a round's keys
alias HeldRows = array<u32, HELD_TOKENS>; // of the keys whose scores the invocation finishes: where they lie, or how far from where they are listed
alias Scores = array<f32, VALUES>; // [row][key] until they are reduced, then [held row][held key]
alias RowNumbers = array<f32, TEAM_ROWS>;

// An invocation's place. Apart from Work: that is the same for all of a workgroup, which the compiler has to know, or it would
// refuse subgroup operations in the loop over an item's keys.
struct Lane {
  lane: u32,      // number within the team
  block: u32,     // which of the teams that read the same keys
  run: u32,       // which of the teams with the same rows
  row: u32,       // the team's first row, within the KV head
  held_row: u32,  // first of the rows whose scores this invocation finishes, within the team
  held_key: u32,  // from the team's first key of a round to the first whose score it finishes
}

// Where rows of K and V have unlike numbers of words, a cursor counts rows: one for each of them would take two registers more.
const UNLIKE = K_ROW_WORDS != V_ROW_WORDS;
const CURSOR_WORDS = select(K_ROW_WORDS, 1u, UNLIKE);

// Where a round begins; the next one begins ROUND keys further. Where rows are SHIFTED, only `held` counts. No word is read past `Constants.last`: teams that run out of keys
// read the item's last one again, with a weight of 0.
struct Cursor {
  first: u32, // the invocation's first word of the team's first key, lib rows_*; of UNLIKE rows that key's row
  held: u32,  // the first key whose score the invocation finishes, as a row of scales
}

// The running state of a team's rows: m and l of the held rows (l of the held keys only), this invocation's words of o.
struct State {
  m: array<f32, HELD_ROWS>,
  l: array<f32, HELD_ROWS>,
  o: array<array<vec4<f32>, V_LANE_VEC4S>, TEAM_ROWS>,
}

// What a round reads and does not change.
struct Constants {
  last: Cursor,                   // of the item's last key
  k_scales: u32,
  v_scales: u32,
  shared_q: u32,                  // index of the invocation's first vec4 of q in workgroup memory
  visible: array<u32, HELD_ROWS>, // in masked rounds: keys from here on, as rows of scales, are hidden from a held row
}

var<workgroup> team_m: array<f32, TEAMS * PAD_ROWS>; // [team][row]
var<workgroup> team_l: array<f32, TEAMS * PAD_ROWS>;
// In the loop q [row of the block][vec4 of a lane][lane], then o [team][row of a pass][vec4].
var<workgroup> shared_vec4s: array<vec4<f32>, SHARED_VEC4S>;

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) group: vec3<u32>, me: Invocation) {
  let place = place_of_group(group);
  let work = work_at(place);
  if is_idle(work) {
    return;
  }
  let at = lane_of_work(work, me);
  keep_place(team_of(me) == 0u && at.lane == 0u, place);
  let queries = load_queries(work, at);
  let zeros = zeros_of(queries);
  if Q_SHARED {
    share_queries(at, queries);
  }
  var state = State();
  for (var h = 0u; h < HELD_ROWS; h++) { // unroll
    state.m[h] = NEG_MAX;
  }
  var next = cursor_of(work, at, work.begin + at.run);
  let constants = constants_of(work, at);
  var shifts = HeldRows();
  for (var h = 0u; h < HELD_TOKENS; h++) { // unroll
    shifts[h] = kv_shift(work.kv_head, held_key(next.held, h, constants));
  }
  let open = open_rounds(work);
  for (var round = 0u; round < open; round++) { // bounded
    attend(me, work, at, queries, zeros, constants, false, &next, &shifts, &state);
  }
  if MASKED {
    // The same for all of a workgroup, as the subgroup operations of its loop want it.
    let zero = work.end >> 31u;
    let work_again = work_at(place_again(place, zero));
    attend_masked(invocation_plus(me, zero), work_again, queries, zeros, &next, &shifts, &state);
  }
  sum_held(me, &state);
  // An invocation's place anew, from what the compiler cannot know to be 0: kept through the loop, it would take registers.
  let zero = next.held >> 31u;
  let me_again = invocation_plus(me, zero);
  let work_again = work_at(place_again(place, zero));
  write_rows(me_again, work_again, lane_of_work(work_again, me_again), state);
}

// The rounds with keys that are hidden from some rows.
fn attend_masked(
  me: Invocation,
  work: Work,
  queries: Queries,
  zeros: QueryZeros,
  next: ptr<function, Cursor>,
  shifts: ptr<function, HeldRows>,
  state: ptr<function, State>,
) {
  let at = lane_of_work(work, me);
  var constants = constants_of(work, at);
  for (var h = 0u; h < HELD_ROWS; h++) { // unroll
    let visible = min(work.end, visible_keys(work.kv_len, work.q_len, position_of(at.row + at.held_row + h)));
    constants.visible[h] = kv_scale_cursor(work.kv_head, visible);
  }
  let rounds = rounds_of(work) - open_rounds(work);
  for (var round = 0u; round < rounds; round++) { // bounded
    attend(me, work, at, queries, zeros, constants, true, next, shifts, state);
  }
}

fn lane_of_work(work: Work, me: Invocation) -> Lane {
  let team = team_of(me);
  let lane = lane_of(me);
  let row_lane = reversed(lane % ROW_LANES, ROW_LANES);
  let token_lane = reversed(lane / ROW_LANES % TOKEN_LANES, TOKEN_LANES);
  let block = team % BLOCKS;
  return Lane(
    lane,
    block,
    team / BLOCKS,
    work.row_start + block * TEAM_ROWS,
    row_lane * HELD_ROWS,
    token_lane * HELD_TOKENS * RUNS,
  );
}

// The bits of x < count in reverse order; count is 1, 2 or 4. The butterfly splits by the highest bit first.
fn reversed(x: u32, count: u32) -> u32 {
  return select(x, x % 2u * 2u + x / 2u, count == 4u);
}

// The invocation's words of the team's query rows, scaled; zeros past a row's end, where K's words repeat the last.
fn load_queries(work: Work, at: Lane) -> Queries {
  var queries = Queries();
  for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
    let row = query_start(work, at.row + r);
    for (var w = 0u; w < K_LANE_WORDS; w++) { // unroll
      for (var i = 0u; i < K_WORD_VEC4S; i++) { // unroll
        let d4 = (at.lane + w * LANES) * K_WORD_VEC4S + i;
        let query = query_vec4(row + min(d4, D4 - 1u)) * step.sm_scale;
        queries[r][w * K_WORD_VEC4S + i] = select(vec4<f32>(), query, d4 < D4);
      }
    }
  }
  return queries;
}

// What K's zero takes off a product with each word of q. Elements are summed first: compilers that are left to multiply several sums
// do so in the loop, and keep all of them.
fn zeros_of(queries: Queries) -> QueryZeros {
  var zeros = QueryZeros();
  for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
    for (var w = 0u; w < K_LANE_WORDS; w++) { // unroll
      var sums = vec4<f32>();
      for (var i = 0u; i < K_WORD_VEC4S; i++) { // unroll
        sums += queries[r][w * K_WORD_VEC4S + i];
      }
      if K_ZERO != 0.0 {
        zeros[r][w] = -K_ZERO * (sums.x + sums.y + sums.z + sums.w);
      }
    }
  }
  return zeros;
}

// Puts q where all runs of a block read it.
fn share_queries(at: Lane, queries: Queries) {
  if at.run == 0u {
    for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
      for (var i = 0u; i < K_LANE_VEC4S; i++) { // unroll
        shared_vec4s[shared_query(at) + (r * K_LANE_VEC4S + i) * LANES] = queries[r][i];
      }
    }
  }
  workgroupBarrier(); // q is there
}

fn shared_query(at: Lane) -> u32 {
  return at.block * TEAM_ROWS * K_LANE_VEC4S * LANES + at.lane;
}

fn cursor_of(work: Work, at: Lane, key: u32) -> Cursor {
  return Cursor(
    kv_cursor(work.kv_head, key, CURSOR_WORDS) + select(min(at.lane, K_ROW_WORDS - 1u), 0u, UNLIKE),
    kv_scale_cursor(work.kv_head, key) + at.held_key,
  );
}

fn constants_of(work: Work, at: Lane) -> Constants {
  var constants = Constants();
  constants.last = cursor_of(work, at, work.end - 1u);
  constants.last.held -= at.held_key;
  constants.k_scales = step.k_scales;
  constants.v_scales = step.v_scales;
  constants.shared_q = shared_query(at);
  return constants;
}

fn rounds_of(work: Work) -> u32 {
  return (max(work.end, work.begin) - work.begin + ROUND - 1u) / ROUND;
}

// The first rounds, of whose keys none is hidden from any row.
fn open_rounds(work: Work) -> u32 {
  let open = open_keys(work.kv_len, work.q_len, position_of(work.row_start), work.begin);
  if !MASKED || open >= work.end {
    return rounds_of(work);
  }
  return (max(open, work.begin) - work.begin) / ROUND;
}

// A round. `masked`: some of its keys are hidden from some rows. A literal: compiled once for the last rounds and once for all
// others, which have no branch.
fn attend(
  me: Invocation,
  work: Work,
  at: Lane,
  queries: Queries,
  zeros: QueryZeros,
  constants: Constants,
  masked: bool,
  next: ptr<function, Cursor>,
  shifts: ptr<function, HeldRows>,
  state: ptr<function, State>,
) {
  var k_places = Places();
  var v_places = Places();
  var keys = Keys();
  var values = Values();
  let rows = held_rows(work, (*next).held, constants, *shifts);
  for (var t = 0u; t < TOKENS; t++) { // unroll
    let cursor = min((*next).first + t * RUNS * CURSOR_WORDS, constants.last.first);
    k_places[t] = place_of(me, at, rows, t, K_ROW_WORDS, cursor);
    v_places[t] = k_places[t];
    if UNLIKE {
      v_places[t] = place_of(me, at, rows, t, V_ROW_WORDS, cursor);
    }
  }
  for (var w = 0u; w < K_LANE_WORDS; w++) { // unroll
    if !K_LATE {
      load_keys(at, k_places, w, &keys);
    }
  }
  for (var w = 0u; w < V_LANE_WORDS; w++) { // unroll
    if !V_LATE {
      load_values(at, v_places, w, &values);
    }
  }
  var scores = Scores();
  score(at, k_places, queries, zeros, constants, &keys, &scores);
  reduce(me, at.lane, &scores);
  let factors = weigh(me, work, at, (*next).held, rows, constants, masked, &scores, state);
  rescale(factors, state);
  mix(me, at, v_places, constants, scores, masked, &values, state);
  (*next).first += ROUND * CURSOR_WORDS;
  (*next).held += ROUND;
  // Here least is live.
  next_shifts(work, at, (*next).held, constants, shifts);
}

// The invocation's w-th words of a round's keys; lanes past a row's end repeat its last.
fn load_keys(at: Lane, places: Places, w: u32, keys: ptr<function, Keys>) {
  for (var t = 0u; t < TOKENS; t++) { // unroll
    (*keys)[t][w] = k_cache[places[t] + k_step(at, w)];
  }
}

fn load_values(at: Lane, places: Places, w: u32, values: ptr<function, Values>) {
  for (var t = 0u; t < TOKENS; t++) { // unroll
    (*values)[t][w] = v_cache[places[t] + v_step(at, w)];
  }
}

// From an invocation's first word of a row to its w-th.
fn k_step(at: Lane, w: u32) -> u32 {
  return word_step(at, w, K_ROW_WORDS, K_LANE_WORDS);
}

fn v_step(at: Lane, w: u32) -> u32 {
  return word_step(at, w, V_ROW_WORDS, V_LANE_WORDS);
}

fn word_step(at: Lane, w: u32, row_words: u32, lane_words: u32) -> u32 {
  if lane_words * LANES == row_words {
    return w * LANES;
  }
  return min(at.lane + w * LANES, row_words - 1u) - min(at.lane, row_words - 1u);
}

// l of the held keys becomes l of all of the team's keys.
fn sum_held(me: Invocation, state: ptr<function, State>) {
  for (var h = 0u; h < HELD_ROWS; h++) { // unroll
    for (var mask = ROW_LANES; mask < ROW_LANES * TOKEN_LANES; mask *= 2u) {
      (*state).l[h] += exchange(me, (*state).l[h], mask);
    }
  }
}
