// decode_matrix.wgsl: one KV head's query rows attend to one item of the plan, by subgroup matrices. Experimental.
//
// For large groups, where the products of scalars and not memory are the limit. A workgroup walks the item's keys in tiles:
//   1. scores: subgroups multiply the queries with blocks of UNIT keys, K read as matrices from the cache itself
//   2. weigh:  a team of LANES invocations owns a row: exp(score - m) with m the running maximum of the row
//   3. values: subgroups multiply the weights with blocks of UNIT elements of V, through workgroup memory
//   4. mix:    invocations own words of o in registers and add the tile's product, which fragments of matrices cannot
// The loops over blocks turn equally often for all subgroups, as the compiler demands: what is left over repeats the last.
//
// Matrices are f16. So that nothing is lost, each query and each weight is the sum of two: rows r of `queries` and `weights`
// hold the nearest f16, rows ROW_BLOCK + r what is left of it; their products are added in f32. A scaled query past f16's range
// leaves its row without a result; a V of NaN or infinity shows in all rows of its block, in those that may not see it too.
//
// in   q       rows of D                 lib query_*, where lib step says
//      k_cache [B, Hkv, capacity, D] f16      lib matrix
//      v_cache [B, Hkv, capacity, D] f16      words of 16 bytes
//      step    Step                           lib step
// out  the state of each row                  lib work
// grid lib work; a workgroup owns ROW_BLOCK rows of a KV head in one item
// consts HEAD_DIM V_DIM GROUP_SIZE NUM_KV_HEADS CAUSAL MASKED ROW_BLOCK ONE_BLOCK WG_SIZE LANES TILE UNIT MATRIX_ROWS MIX_VEC4S TEAM_KEYS VALUE_WORDS
// libs step numbers scores work rows_contiguous matrix subgroup query_*

@group(0) @binding(2) var<storage, read> v_cache: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> step: Step;

const D4 = HEAD_DIM / 4u;
const TEAMS = WG_SIZE / LANES;
const BLOCKS = TILE / UNIT;     // of keys in a tile
const D_BLOCKS = HEAD_DIM / UNIT;
const D_WORDS = HEAD_DIM / 8u;  // of a row of V

// Keys of a tile and 16 bytes more: so that elements of V side by side lie in different banks of workgroup memory.
const STAGED_KEYS = TILE + 8u;

const_assert ROW_BLOCK <= TEAMS && 2u * ROW_BLOCK <= MATRIX_ROWS && MATRIX_ROWS % UNIT == 0u;
const_assert V_DIM == HEAD_DIM;
const_assert HEAD_DIM % UNIT == 0u && TILE % UNIT == 0u && TEAM_KEYS * LANES == TILE;
const_assert MIX_VEC4S * WG_SIZE >= ROW_BLOCK * D4 && VALUE_WORDS * WG_SIZE >= TILE * D_WORDS;

alias Values = array<vec4<u32>, VALUE_WORDS>; // an invocation's words of a tile of V

var<workgroup> products: array<f32, MATRIX_ROWS * max(TILE, HEAD_DIM)>; // of a tile: [row][key], then [row][element]
var<workgroup> row_shrink: array<f32, ROW_BLOCK>;
var<workgroup> row_m: array<f32, ROW_BLOCK>;
var<workgroup> row_l: array<f32, ROW_BLOCK>;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
  @builtin(num_subgroups) subgroups: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_size) subgroup_size: u32,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let work = work_of(group);
  if is_idle(work) {
    return;
  }
  let me = Invocation(subgroup, subgroup_size, subgroup_lane);
  load_queries(work, index);
  var m = NEG_MAX;
  var l = 0.0; // of this invocation's keys
  var o = array<vec4<f32>, MIX_VEC4S>();
  for (var first = work.begin; first < work.end; first += TILE) {
    let count = min(TILE, work.end - first);
    let values = load_values(kv_row(work.kv_head, first), count, index);
    stage_keys(kv_row(work.kv_head, first), count, index);
    workgroupBarrier(); // queries and the staged block are there, nobody reads the products any more
    for (var block = 0u; (block + 1u) * UNIT <= count; block += subgroups) {
      multiply_keys(kv_row(work.kv_head, first), min(block + subgroup, count / UNIT - 1u), subgroup_lane);
    }
    if count % UNIT != 0u {
      multiply_staged_keys(count / UNIT, subgroup_lane);
    }
    workgroupBarrier(); // scores are complete, nobody reads the staged keys any more
    weigh(me, work, first, &m, &l);
    stage_values(values, index);
    workgroupBarrier(); // weights and the staged values are there, nobody reads the scores any more
    for (var block = 0u; block < D_BLOCKS; block += subgroups) {
      multiply_values(min(block + subgroup, D_BLOCKS - 1u), subgroup_lane);
    }
    workgroupBarrier(); // products are complete
    mix(index, &o);
  }
  finish_rows(me, m, l);
  workgroupBarrier(); // m and l of all rows are there
  for (var i = 0u; i < MIX_VEC4S; i++) { // unroll
    let at = index + i * WG_SIZE;
    let row = min(at / D4, ROW_BLOCK - 1u);
    if at / D4 < ROW_BLOCK {
      write_state(work, work.row_start + row, at % D4, o[i], row_m[row], row_l[row]);
    }
  }
}

// Scaled queries as two f16 each, rows that are not there as zeros, and no weights yet.
fn load_queries(work: Work, index: u32) {
  for (var at = index; at < MATRIX_ROWS * HEAD_DIM; at += WG_SIZE) {
    let row = at / HEAD_DIM;
    let d = at % HEAD_DIM;
    let source = query_start(work, work.row_start + row % ROW_BLOCK) + d / 4u;
    let query = query_vec4(source)[d % 4u] * step.sm_scale;
    let rest = query - rounded(query);
    put_query(at, select(select(0.0, rest, row < 2u * ROW_BLOCK), query, row < ROW_BLOCK));
  }
  for (var at = index; at < MATRIX_ROWS * TILE; at += WG_SIZE) {
    put_weight(at, 0.0);
  }
}

// Asks for a tile of V, long before it is needed. Keys that are not there are zeros: slots behind the end may hold anything.
fn load_values(key: u32, count: u32, index: u32) -> Values {
  var values = Values();
  for (var i = 0u; i < VALUE_WORDS; i++) { // unroll
    let place = place_of(index + i * WG_SIZE);
    let there = place.x < count;
    values[i] = select(vec4<u32>(), v_cache[select(0u, (key + place.x) * D_WORDS + place.y, there)], there);
  }
  return values;
}

fn stage_values(values: Values, index: u32) {
  for (var i = 0u; i < VALUE_WORDS; i++) { // unroll
    let place = place_of(index + i * WG_SIZE);
    stage_word(place.x, place.y, values[i]);
  }
}

// Key and word of the at-th word of a tile: two words of each key in turn, 32 bytes that memory gives at once, and else many
// keys side by side, which lie in different banks once they are staged. Invocations past the tile repeat its last words.
fn place_of(at: u32) -> vec2<u32> {
  return vec2<u32>(at / 2u % TILE, min(at / (2u * TILE) * 2u + at % 2u, D_WORDS - 1u));
}

// A team turns its row's scores into weights, hidden keys into 0. There may be more teams than rows.
fn weigh(me: Invocation, work: Work, first: u32, m: ptr<function, f32>, l: ptr<function, f32>) {
  let team = team_of(me);
  let lane = lane_of(me);
  let row = min(team, ROW_BLOCK - 1u);
  let visible = min(work.end, visible_keys(work.kv_len, work.q_len, position_of(work.row_start + row)));
  var scores = array<f32, TEAM_KEYS>();
  var highest = *m;
  for (var t = 0u; t < TEAM_KEYS; t++) { // unroll
    let key = lane + t * LANES;
    let score = products[row * TILE + key] + products[(ROW_BLOCK + row) * TILE + key];
    scores[t] = kept_score(score, first + key < visible);
    highest = max(highest, scores[t]);
  }
  for (var mask = 1u; mask < LANES; mask *= 2u) {
    highest = max(highest, exchange(me, highest, mask));
  }
  let shrink = exp(*m - highest);
  *m = highest;
  *l *= shrink;
  for (var t = 0u; t < TEAM_KEYS; t++) { // unroll
    let weight = select(exp(scores[t] - highest), 0.0, is_hidden(scores[t]));
    *l += weight;
    if team < ROW_BLOCK {
      put_weight(row * TILE + lane + t * LANES, weight);
      put_weight((ROW_BLOCK + row) * TILE + lane + t * LANES, weight - rounded(weight));
    }
  }
  if team < ROW_BLOCK && lane == 0u {
    row_shrink[row] = shrink;
  }
}

// Adds the tile's products to the invocation's words of o.
fn mix(index: u32, o: ptr<function, array<vec4<f32>, MIX_VEC4S>>) {
  for (var i = 0u; i < MIX_VEC4S; i++) { // unroll
    let at = index + i * WG_SIZE;
    let row = min(at / D4, ROW_BLOCK - 1u);
    let near = row * HEAD_DIM + (at % D4) * 4u;
    let rest = near + ROW_BLOCK * HEAD_DIM;
    let added = vec4<f32>(
      products[near] + products[rest],
      products[near + 1u] + products[rest + 1u],
      products[near + 2u] + products[rest + 2u],
      products[near + 3u] + products[rest + 3u],
    );
    (*o)[i] = (*o)[i] * row_shrink[row] + added;
  }
}

// m and l of the teams' rows, for all invocations to see.
fn finish_rows(me: Invocation, m: f32, l: f32) {
  let team = team_of(me);
  var sum = l;
  for (var mask = 1u; mask < LANES; mask *= 2u) {
    sum += exchange(me, sum, mask);
  }
  if team < ROW_BLOCK && lane_of(me) == 0u {
    row_m[team] = m;
    row_l[team] = sum;
  }
}
