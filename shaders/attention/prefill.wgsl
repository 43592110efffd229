// prefill.wgsl: blocks of one KV head's query rows attend to one item of the plan: for chunks of many positions.
//
// A workgroup walks the item's keys in tiles of TILE, up to the last that any of its rows sees. An invocation has ROWS rows by KEYS
// keys of a tile's scores, and of the output ROWS rows by PARTS vec4s:
//   1. score  slices of q and K go through workgroup memory, SLICE vec4s of each row
//   2. weigh  invocations of the same rows exchange their greatest scores, and make weights of scores
//   3. mix    each adds its part of V, weighted, to its rows
//
// in   q       rows of D                      lib query_*, where lib step says
//      k_cache [B, Hkv, capacity, D]          words of four elements (of int4 eight), libs words_*, elements_*, scales_* as k_*
//      v_cache [B, Hkv, capacity, Dv]         the same as v_*
//      step    Step                           lib step
// out  the state of each row                  lib work
// grid lib work; a workgroup owns ROW_BLOCK rows of a KV head in one item
// consts HEAD_DIM V_DIM GROUP_SIZE NUM_KV_HEADS CAUSAL MASKED ROW_BLOCK ONE_BLOCK, and those of src/kernels/prefill.ts
// libs step numbers scores work one of rows_* query_*, one each of words_*, elements_* and scales_* as k_* and as v_*

@group(0) @binding(1) var<storage, read> k_cache: array<KWord>;
@group(0) @binding(2) var<storage, read> v_cache: array<VWord>;
@group(0) @binding(3) var<storage, read> step: Step;

const D4 = HEAD_DIM / 4u;
const V4 = V_DIM / 4u;
const STRIDE = SLICE | 1u; // odd, so that neighbours meet different banks
const ROW_TEAMS = ROW_BLOCK / ROWS;
const COLUMNS = TILE / KEYS;
const WG_SIZE = ROW_TEAMS * COLUMNS;

const_assert ROW_TEAMS * ROWS == ROW_BLOCK && COLUMNS * KEYS == TILE && PARTS * COLUMNS >= V4;

var<workgroup> q_slice: array<vec4<f32>, ROW_BLOCK * STRIDE>;
var<workgroup> k_slice: array<vec4<f32>, TILE * STRIDE>;
var<workgroup> weights: array<f32, TILE * ROW_BLOCK>;     // [key][row]
var<workgroup> highest: array<f32, COLUMNS * ROW_BLOCK>;   // [column][row]: greatest scores of a tile, at last sums
var<workgroup> states: array<State, WG_SIZE * ROWS>;      // [row][invocation]: its own, here so that loops over rows need not be unrolled

struct State {
  m: f32,
  l: f32,      // of the invocation's keys
  shrink: f32, // what the tile shrinks o by
}

const HIDDEN = -1.0; // the weight of a key that a row does not see: 0 times a V of NaN would not be 0

alias Scores = array<array<f32, KEYS>, ROWS>;
alias Mixed = array<array<vec4<f32>, PARTS>, ROWS>;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let work = work_of(group);
  if is_idle(work) {
    return;
  }
  let last = row_there(work, work.row_start + ROW_BLOCK - 1u);
  let end = min(work.end, visible_keys(work.kv_len, work.q_len, position_of(last)));
  let open = open_keys(work.kv_len, work.q_len, position_of(work.row_start), work.begin);
  for (var r = 0u; r < opaque_count(ROWS); r++) {
    states[r * WG_SIZE + lane] = State(NEG_MAX, 0.0, 1.0);
  }
  var o = Mixed();
  for (var first = work.begin; first < end; first += TILE) {
    let count = min(TILE, end - first);
    var scores = Scores();
    score(work, first, end, lane, &scores);
    weigh(work, first, count, lane, &scores);
    shrink(lane, &o);
    if !MASKED || first + count <= open {
      mix(work, first, count, lane, &o);
    } else {
      mix_seen(work, first, count, lane, &o);
    }
  }
  write_rows(work, lane, &o);
}

// The r-th row of an invocation, within the block.
fn block_row(lane: u32, r: u32) -> u32 {
  return r * ROW_TEAMS + lane / COLUMNS;
}

fn tile_key(lane: u32, c: u32) -> u32 {
  return c * COLUMNS + lane % COLUMNS;
}

fn k_vec4(row: u32, i: u32) -> vec4<f32> {
  let word = row * K_ROW_WORDS + i / K_WORD_VEC4S;
  return k_unpack(k_cache[word], i % K_WORD_VEC4S) * k_word_scale(step.k_scales, word);
}

fn v_vec4(row: u32, i: u32) -> vec4<f32> {
  let word = row * V_ROW_WORDS + i / V_WORD_VEC4S;
  return v_unpack(v_cache[word], i % V_WORD_VEC4S) * v_word_scale(step.v_scales, word);
}

// Past the row's end both are 0.
fn stage(work: Work, first: u32, end: u32, begin: u32, lane: u32) {
  for (var n = lane; n < ROW_BLOCK * SLICE; n += WG_SIZE) {
    let i = begin + n % SLICE;
    let four = query_vec4(query_start(work, work.row_start + n / SLICE) + min(i, D4 - 1u));
    q_slice[n / SLICE * STRIDE + n % SLICE] = select(vec4<f32>(), four * step.sm_scale, i < D4);
  }
  for (var n = lane; n < TILE * SLICE; n += WG_SIZE) {
    let i = begin + n % SLICE;
    let four = k_vec4(kv_row(work.kv_head, min(first + n / SLICE, end - 1u)), min(i, D4 - 1u));
    k_slice[n / SLICE * STRIDE + n % SLICE] = select(vec4<f32>(), four, i < D4);
  }
}

fn score(work: Work, first: u32, end: u32, lane: u32, scores: ptr<function, Scores>) {
  for (var begin = 0u; begin < D4; begin += SLICE) {
    workgroupBarrier(); // the slices before are used
    stage(work, first, end, begin, lane);
    workgroupBarrier(); // the slices are there
    let slice = opaque_count(SLICE);
    for (var i = 0u; i < slice; i++) {
      var k = array<vec4<f32>, KEYS>();
      for (var c = 0u; c < KEYS; c++) { // unroll
        k[c] = k_slice[tile_key(lane, c) * STRIDE + i];
      }
      for (var r = 0u; r < ROWS; r++) { // unroll
        let four = q_slice[block_row(lane, r) * STRIDE + i];
        for (var c = 0u; c < KEYS; c++) { // unroll
          (*scores)[r][c] += dot(four, k[c]);
        }
      }
    }
  }
}

fn weigh(work: Work, first: u32, count: u32, lane: u32, scores: ptr<function, Scores>) {
  for (var r = 0u; r < ROWS; r++) { // unroll
    for (var c = 0u; c < KEYS; c++) { // unroll
      weights[tile_key(lane, c) * ROW_BLOCK + block_row(lane, r)] = (*scores)[r][c];
    }
  }
  let rows = opaque_count(ROWS);
  let keys = opaque_count(KEYS);
  for (var r = 0u; r < rows; r++) {
    let row = query_row(work, work.row_start + block_row(lane, r));
    var greatest = NEG_MAX;
    for (var c = 0u; c < keys; c++) {
      let at = tile_key(lane, c) * ROW_BLOCK + block_row(lane, r);
      let key = first + min(tile_key(lane, c), count - 1u);
      let product = weights[at] * k_row_scale(step.k_scales, kv_scale_row(work.kv_head, key));
      let score = finish_score(product, row, key, tile_key(lane, c) < count && sees(row, key));
      weights[at] = score;
      greatest = max(greatest, score);
    }
    highest[lane % COLUMNS * ROW_BLOCK + block_row(lane, r)] = greatest;
  }
  workgroupBarrier(); // the greatest scores are there
  let columns = opaque_count(COLUMNS);
  for (var r = 0u; r < rows; r++) {
    let old = states[r * WG_SIZE + lane];
    var m = old.m;
    for (var c = 0u; c < columns; c++) {
      m = max(m, highest[c * ROW_BLOCK + block_row(lane, r)]);
    }
    let shrink = exp(old.m - m);
    var l = old.l * shrink;
    for (var c = 0u; c < keys; c++) {
      let at = tile_key(lane, c) * ROW_BLOCK + block_row(lane, r);
      let weight = select(exp(weights[at] - m), 0.0, is_hidden(weights[at]));
      let key = first + min(tile_key(lane, c), count - 1u);
      l += weight;
      let scaled = weight * v_row_scale(step.v_scales, kv_scale_row(work.kv_head, key));
      weights[at] = select(scaled, HIDDEN, is_hidden(weights[at]));
    }
    states[r * WG_SIZE + lane] = State(m, l, shrink);
  }
  workgroupBarrier(); // weights are there
}

fn shrink(lane: u32, o: ptr<function, Mixed>) {
  for (var r = 0u; r < ROWS; r++) { // unroll
    for (var p = 0u; p < PARTS; p++) { // unroll
      (*o)[r][p] *= states[r * WG_SIZE + lane].shrink;
    }
  }
}

fn part(lane: u32, p: u32) -> u32 {
  return p * COLUMNS + lane % COLUMNS;
}

// Of a tile whose keys all rows see.
fn mix(work: Work, first: u32, count: u32, lane: u32, o: ptr<function, Mixed>) {
  for (var t = 0u; t < count; t++) {
    let key = kv_row(work.kv_head, first + t);
    for (var p = 0u; p < PARTS; p++) { // unroll
      let four = v_vec4(key, min(part(lane, p), V4 - 1u));
      for (var r = 0u; r < ROWS; r++) { // unroll
        (*o)[r][p] += weights[t * ROW_BLOCK + block_row(lane, r)] * four;
      }
    }
  }
}

fn mix_seen(work: Work, first: u32, count: u32, lane: u32, o: ptr<function, Mixed>) {
  for (var t = 0u; t < count; t++) {
    let key = kv_row(work.kv_head, first + t);
    for (var p = 0u; p < PARTS; p++) { // unroll
      let four = v_vec4(key, min(part(lane, p), V4 - 1u));
      for (var r = 0u; r < ROWS; r++) { // unroll
        let weight = weights[t * ROW_BLOCK + block_row(lane, r)];
        (*o)[r][p] = select((*o)[r][p] + weight * four, (*o)[r][p], weight == HIDDEN);
      }
    }
  }
}

fn write_rows(work: Work, lane: u32, o: ptr<function, Mixed>) {
  workgroupBarrier(); // greatest scores of the last tile are used
  for (var r = 0u; r < opaque_count(ROWS); r++) {
    highest[lane % COLUMNS * ROW_BLOCK + block_row(lane, r)] = states[r * WG_SIZE + lane].l;
  }
  workgroupBarrier(); // sums are there
  for (var r = 0u; r < ROWS; r++) { // unroll
    var sum = 0.0;
    let columns = opaque_count(COLUMNS);
    for (var c = 0u; c < columns; c++) {
      sum += highest[c * ROW_BLOCK + block_row(lane, r)];
    }
    for (var p = 0u; p < PARTS; p++) { // unroll
      let m = states[r * WG_SIZE + lane].m;
      write_state(work, work.row_start + block_row(lane, r), part(lane, p), (*o)[r][p], m, sum);
    }
  }
}
