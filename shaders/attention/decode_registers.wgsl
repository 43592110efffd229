// decode_registers.wgsl: one KV head's query rows attend to one item of the plan, all in registers: no barrier in the loop.
//
// A team of LANES invocations of a subgroup shares each key: an invocation holds its words of K, V, q and o, of TEAM_ROWS
// query rows. Per round a team takes TOKENS keys:
//   1. load     its words of K and V of all of them, 16 bytes each, before any is used
//   2. score    partial dot products of every row with every key; each word is unpacked once, for all rows
//   3. reduce   a butterfly that halves the number of values with every exchange: at its end an invocation holds the
//               finished scores of few rows and keys, its own, instead of all of them everywhere
//   4. weigh    exp(score - m) with m the running maximum of the row: once per score
//   5. mix      each weight, broadcast to the team, times the invocation's words of V
// Rows that do not fit one team are spread over BLOCKS teams that read the same keys at the same time. Teams with the
// same rows, RUNS of them, take neighbouring keys, and merge their states through workgroup memory at the end.
//
// in   q       [B, Hkv, ROWS, D/4] vec4 f32   ROWS = GROUP_SIZE * Q_LEN query rows of a KV head
//      k_cache [B, Hkv, capacity, D]          words of 16 bytes, lib elements_* as k_*
//      v_cache [B, Hkv, capacity, D]          words of 16 bytes, lib elements_* as v_*
//      step    Step                           lib step
// out  the state of each row                  lib work
// grid (items, Hkv * ROW_BLOCKS, 1); a workgroup owns ROW_BLOCK rows of a KV head in one item
// consts HEAD_DIM ROWS ROW_BLOCK Q_LEN CAUSAL, and those of src/kernels/decodeRegisters.ts
// libs step numbers work rows_contiguous subgroup, elements_* as k_* and as v_*

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> k_cache: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> v_cache: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> step: Step;

const D4 = HEAD_DIM / 4u;
const TEAMS = WG_SIZE / LANES;
const RUNS = TEAMS / BLOCKS;

// Where the butterfly leaves the scores of a round: ROW_LANES groups of invocations hold HELD_ROWS rows each, within them
// TOKEN_LANES groups HELD_TOKENS keys each, and SPARE invocations hold the same.
const ROW_LANES = PAD_ROWS / HELD_ROWS;
const TOKEN_LANES = TOKENS / HELD_TOKENS;
const SPARE = LANES / (ROW_LANES * TOKEN_LANES);

const_assert WG_SIZE % LANES == 0u && TEAMS % BLOCKS == 0u;
const_assert PAD_ROWS >= TEAM_ROWS && VALUES == PAD_ROWS * TOKENS && HALF_VALUES == VALUES / 2u;
const_assert ROW_LANES * TOKEN_LANES * SPARE == LANES && (1u << STAGES) == LANES;
const_assert ROW_BLOCK == TEAM_ROWS * BLOCKS;
const_assert K_LANE_WORDS * LANES >= K_ROW_WORDS && K_LANE_VEC4S == K_LANE_WORDS * K_WORD_VEC4S;
const_assert V_LANE_WORDS * LANES >= V_ROW_WORDS && V_LANE_VEC4S == V_LANE_WORDS * V_WORD_VEC4S;

alias Queries = array<array<vec4<f32>, K_LANE_VEC4S>, TEAM_ROWS>;
alias KeyWords = array<array<vec4<u32>, K_LANE_WORDS>, TOKENS>;
alias ValueWords = array<array<vec4<u32>, V_LANE_WORDS>, TOKENS>;
alias Scores = array<f32, VALUES>; // [row][key] until they are reduced, then [held row][held key]

// An invocation's place. Apart from Work, which is the same for all of a workgroup: the compiler knows it, and lets the
// loop over an item's keys hold subgroup operations.
struct Lane {
  lane: u32,      // number within the team
  run: u32,       // which of the teams with the same rows
  row: u32,       // the team's first row, within the KV head
  held_row: u32,  // first of the rows whose scores this invocation finishes, within the team
  held_key: u32,  // first of the keys whose scores it finishes, within the round
}

// The running state of a team's rows: m and l of the held rows (l of the held keys only), this invocation's words of o.
struct State {
  m: array<f32, HELD_ROWS>,
  l: array<f32, HELD_ROWS>,
  o: array<array<vec4<f32>, V_LANE_VEC4S>, TEAM_ROWS>,
}

var<workgroup> team_m: array<f32, TEAMS * PAD_ROWS>; // [team][row]
var<workgroup> team_l: array<f32, TEAMS * PAD_ROWS>;
var<workgroup> team_o: array<vec4<f32>, WG_SIZE * V_LANE_VEC4S>; // [invocation][vec4]

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, me: Invocation) {
  let work = work_of(group, groups);
  let at = lane_of_work(work, me);
  let queries = load_queries(work, at);
  var state = State();
  for (var h = 0u; h < HELD_ROWS; h++) { // unroll
    state.m[h] = NEG_MAX;
  }
  for (var first = work.begin; first < work.end; first += RUNS * TOKENS) {
    var keys = KeyWords();
    var values = ValueWords();
    for (var t = 0u; t < TOKENS; t++) { // unroll
      let row = kv_row(work.kv_head, key_of(work, at, first, t));
      for (var w = 0u; w < K_LANE_WORDS; w++) { // unroll
        keys[t][w] = k_cache[row * K_ROW_WORDS + min(at.lane + w * LANES, K_ROW_WORDS - 1u)];
      }
    }
    for (var t = 0u; t < TOKENS; t++) { // unroll
      let row = kv_row(work.kv_head, key_of(work, at, first, t));
      for (var w = 0u; w < V_LANE_WORDS; w++) { // unroll
        values[t][w] = v_cache[row * V_ROW_WORDS + min(at.lane + w * LANES, V_ROW_WORDS - 1u)];
      }
    }
    var scores = Scores();
    score(work, at, first, queries, keys, &scores);
    reduce(me, at.lane, &scores);
    weigh(me, work, at, first, &scores, &state);
    if MASKED && first + RUNS * TOKENS + Q_LEN > work.kv_len + 1u {
      mix(me, work, at, first, scores, values, true, &state);
    } else {
      mix(me, work, at, first, scores, values, false, &state);
    }
  }
  sum_held(me, &state);
  if RUNS > 1u {
    merge_runs(me, at, &state);
  }
  write_rows(me, work, at, state);
}

fn lane_of_work(work: Work, me: Invocation) -> Lane {
  let team = team_of(me);
  let lane = lane_of(me);
  let row_lane = lane / (LANES / ROW_LANES);
  let token_lane = (lane / SPARE) % TOKEN_LANES;
  return Lane(
    lane,
    team / BLOCKS,
    work.row_start + (team % BLOCKS) * TEAM_ROWS,
    row_lane * HELD_ROWS,
    token_lane * HELD_TOKENS,
  );
}

// The invocation's words of the team's query rows, scaled; zeros past a row's end, where K's words repeat the last.
fn load_queries(work: Work, at: Lane) -> Queries {
  var queries = Queries();
  for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
    let row = work.kv_head * ROWS + min(at.row + r, ROWS - 1u);
    for (var w = 0u; w < K_LANE_WORDS; w++) { // unroll
      for (var i = 0u; i < K_WORD_VEC4S; i++) { // unroll
        let d4 = (at.lane + w * LANES) * K_WORD_VEC4S + i;
        let query = q[row * D4 + min(d4, D4 - 1u)] * step.sm_scale;
        queries[r][w * K_WORD_VEC4S + i] = select(vec4<f32>(), query, d4 < D4);
      }
    }
  }
  return queries;
}

// The t-th key of the team in the round that begins at `first`; the last one there is where there are no more.
fn key_of(work: Work, at: Lane, first: u32, t: u32) -> u32 {
  return min(first + t * RUNS + at.run, work.end - 1u);
}

fn score(work: Work, at: Lane, first: u32, queries: Queries, keys: KeyWords, scores: ptr<function, Scores>) {
  for (var t = 0u; t < TOKENS; t++) { // unroll
    let key = kv_row(work.kv_head, key_of(work, at, first, t));
    for (var w = 0u; w < K_LANE_WORDS; w++) { // unroll
      let scale = k_word_scale(step.k_scales, key, min(at.lane + w * LANES, K_ROW_WORDS - 1u));
      for (var i = 0u; i < K_WORD_VEC4S; i++) { // unroll
        let k = k_unpack(keys[t][w], i) * scale;
        for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
          (*scores)[r * TOKENS + t] += dot(queries[r][w * K_WORD_VEC4S + i], k);
        }
      }
    }
  }
}

// Sums the team's partial scores. Each stage exchanges half of the values for the other half of another invocation's:
// VALUES - 1 exchanges for VALUES sums, where a tree per value would take STAGES for each.
fn reduce(me: Invocation, lane: u32, scores: ptr<function, Scores>) {
  for (var g = 0u; g < STAGES; g++) { // unroll
    let mask = LANES >> (g + 1u);
    let half = VALUES >> (g + 1u);
    let upper = (lane & mask) != 0u;
    for (var k = 0u; k < HALF_VALUES; k++) { // unroll
      if k < half {
        let low = (*scores)[k];
        let high = (*scores)[k + half];
        (*scores)[k] = select(low, high, upper) + exchange(me, select(high, low, upper), mask);
      }
    }
    if half == 0u {
      (*scores)[0] += exchange(me, (*scores)[0], mask);
    }
  }
}

// Turns the held scores into weights, hidden keys into 0, and brings the state to the round's maxima.
fn weigh(me: Invocation, work: Work, at: Lane, first: u32, scores: ptr<function, Scores>, state: ptr<function, State>) {
  var shrink = array<f32, HELD_ROWS>();
  for (var h = 0u; h < HELD_ROWS; h++) { // unroll
    let visible = min(work.end, visible_keys(work.kv_len, at.row + at.held_row + h));
    var highest = NEG_MAX;
    for (var t = 0u; t < HELD_TOKENS; t++) { // unroll
      let key = first + (at.held_key + t) * RUNS + at.run;
      let scale = k_row_scale(step.k_scales, kv_scale_row(work.kv_head, min(key, work.end - 1u)));
      let held = kept_score((*scores)[h * HELD_TOKENS + t] * scale, key < visible);
      (*scores)[h * HELD_TOKENS + t] = held;
      highest = max(highest, held);
    }
    for (var mask = SPARE; mask < SPARE * TOKEN_LANES; mask *= 2u) {
      highest = max(highest, exchange(me, highest, mask));
    }
    let m = max((*state).m[h], highest);
    shrink[h] = exp((*state).m[h] - m);
    (*state).m[h] = m;
    (*state).l[h] *= shrink[h];
    for (var t = 0u; t < HELD_TOKENS; t++) { // unroll
      let held = (*scores)[h * HELD_TOKENS + t];
      let weight = select(exp(held - m), 0.0, is_hidden(held));
      (*state).l[h] += weight;
      let key = key_of(work, at, first, at.held_key + t);
      (*scores)[h * HELD_TOKENS + t] = weight * v_row_scale(step.v_scales, kv_scale_row(work.kv_head, key));
    }
  }
  rescale(me, shrink, state);
}

// Maxima grow seldom once a row has seen a few keys: the products are left out when none of the team's has.
fn rescale(me: Invocation, shrink: array<f32, HELD_ROWS>, state: ptr<function, State>) {
  var factors = array<f32, TEAM_ROWS>();
  var least = 1.0;
  for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
    factors[r] = broadcast(me, shrink[r % HELD_ROWS], row_owner(r));
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

// The first invocation of the team that holds row r.
fn row_owner(r: u32) -> u32 {
  return (r / HELD_ROWS) * (LANES / ROW_LANES);
}

// Adds the round's weighted values. `masked`: there are keys among them that not all rows see. Text of its own for them, the
// last round or two of a sequence, so that all others are without a branch.
fn mix(
  me: Invocation,
  work: Work,
  at: Lane,
  first: u32,
  weights: Scores,
  values: ValueWords,
  masked: bool,
  state: ptr<function, State>,
) {
  for (var t = 0u; t < TOKENS; t++) { // unroll
    let key = kv_row(work.kv_head, key_of(work, at, first, t));
    var v = array<vec4<f32>, V_LANE_VEC4S>();
    for (var w = 0u; w < V_LANE_WORDS; w++) { // unroll
      let scale = v_word_scale(step.v_scales, key, min(at.lane + w * LANES, V_ROW_WORDS - 1u));
      for (var i = 0u; i < V_WORD_VEC4S; i++) { // unroll
        v[w * V_WORD_VEC4S + i] = v_unpack(values[t][w], i) * scale;
      }
    }
    for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
      let held = weights[(r % HELD_ROWS) * HELD_TOKENS + t % HELD_TOKENS];
      let weight = broadcast(me, held, row_owner(r) + (t / HELD_TOKENS) * SPARE);
      if !masked || sees(work.kv_len, at.row + r, key_of(work, at, first, t)) {
        for (var i = 0u; i < V_LANE_VEC4S; i++) { // unroll
          (*state).o[r][i] += weight * v[i];
        }
      }
    }
  }
}

// l of the held keys becomes l of all of the team's keys.
fn sum_held(me: Invocation, state: ptr<function, State>) {
  for (var h = 0u; h < HELD_ROWS; h++) { // unroll
    for (var mask = SPARE; mask < SPARE * TOKEN_LANES; mask *= 2u) {
      (*state).l[h] += exchange(me, (*state).l[h], mask);
    }
  }
}

// Merges the states of the teams with the same rows; their first team then holds the workgroup's.
fn merge_runs(me: Invocation, at: Lane, state: ptr<function, State>) {
  let team = team_of(me);
  let block = team % BLOCKS;
  let runs = opaque_count(RUNS);
  for (var h = 0u; h < HELD_ROWS; h++) { // unroll
    team_m[team * PAD_ROWS + at.held_row + h] = (*state).m[h];
    team_l[team * PAD_ROWS + at.held_row + h] = (*state).l[h];
  }
  workgroupBarrier(); // m and l of all teams are there
  var shrink = array<f32, HELD_ROWS>();
  for (var h = 0u; h < HELD_ROWS; h++) { // unroll
    let m = (*state).m[h];
    var highest = NEG_MAX;
    for (var run = 0u; run < runs; run++) {
      highest = max(highest, team_m[(run * BLOCKS + block) * PAD_ROWS + at.held_row + h]);
    }
    var sum = 0.0;
    for (var run = 0u; run < runs; run++) {
      let other = (run * BLOCKS + block) * PAD_ROWS + at.held_row + h;
      sum += team_l[other] * exp(team_m[other] - highest);
    }
    shrink[h] = exp(m - highest);
    (*state).m[h] = highest;
    (*state).l[h] = sum;
  }
  rescale(me, shrink, state);
  for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
    for (var i = 0u; i < V_LANE_VEC4S; i++) { // unroll
      team_o[(team * LANES + at.lane) * V_LANE_VEC4S + i] = (*state).o[r][i];
    }
    workgroupBarrier(); // the row of all teams is there
    if at.run == 0u {
      for (var run = 1u; run < runs; run++) {
        let other = ((run * BLOCKS + block) * LANES + at.lane) * V_LANE_VEC4S;
        for (var i = 0u; i < V_LANE_VEC4S; i++) { // unroll
          (*state).o[r][i] += team_o[other + i];
        }
      }
    }
    workgroupBarrier(); // before the next row
  }
}

fn write_rows(me: Invocation, work: Work, at: Lane, state: State) {
  for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
    let m = broadcast(me, state.m[r % HELD_ROWS], row_owner(r));
    let l = broadcast(me, state.l[r % HELD_ROWS], row_owner(r));
    if at.run == 0u {
      for (var w = 0u; w < V_LANE_WORDS; w++) { // unroll
        for (var i = 0u; i < V_WORD_VEC4S; i++) { // unroll
          write_state(work, at.row + r, (at.lane + w * LANES) * V_WORD_VEC4S + i, state.o[r][w * V_WORD_VEC4S + i], m, l);
        }
      }
    }
  }
}
