// decode_tiles.wgsl: one KV head's query rows attend to one item of the plan, in tiles of keys: needs no subgroups.
//
// A workgroup walks the item's keys in tiles of TILE keys, in two phases with one barrier after each:
//   1. scores: an invocation owns keys; it unpacks each word of K once and takes its dot product with every row
//   2. mix:    an invocation owns words of V; it unpacks each once and adds it to every row
// Between them each score becomes a weight, exp(score - m) with m the running maximum of its row: once per score.
//
// in   q       [B, Hkv, ROWS, D/4] vec4 f32   ROWS = GROUP_SIZE * Q_LEN query rows of a KV head
//      k_cache [B, Hkv, capacity, D]          words of 16 bytes, lib elements_* as k_*
//      v_cache [B, Hkv, capacity, D]          words of 16 bytes, lib elements_* as v_*
//      step    Step                           lib step
// out  the state of each row                  lib work
// grid (items, Hkv * ROW_BLOCKS, 1); a workgroup owns ROW_BLOCK rows of a KV head in one item
// consts HEAD_DIM ROWS ROW_BLOCK Q_LEN CAUSAL, and those of src/kernels/decodeTiles.ts
// libs step numbers work rows_contiguous row_max, elements_* as k_* and as v_*

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> k_cache: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> v_cache: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> step: Step;

const D4 = HEAD_DIM / 4u;

// Phase 1: KEY_LANES invocations side by side, each with KEYS keys of a tile. Where a tile has fewer keys than
// there are invocations, QK_PARTS of them share a key's rows, QK_ROWS each.
const KEY_LANES = TILE / KEYS;
const QK_PARTS = WG_SIZE / KEY_LANES;

// Phase 2: WIDTH invocations cover a row of V, MIX_WORDS words each. Further sets of WIDTH share the rows, MIX_ROWS each,
// and then the keys.
const WIDTH = (V_ROW_WORDS + MIX_WORDS - 1u) / MIX_WORDS;
const KEY_SETS = WG_SIZE / WIDTH / ROW_SETS;

const_assert WG_SIZE % KEY_LANES == 0u && TILE % KEY_LANES == 0u;
const_assert QK_ROWS * QK_PARTS >= ROW_BLOCK && MIX_ROWS * ROW_SETS >= ROW_BLOCK && KEY_SETS >= 1u;
const_assert MIX_VEC4S == MIX_WORDS * V_WORD_VEC4S;

var<workgroup> weights: array<f32, ROW_BLOCK * TILE>; // [row][key]
var<workgroup> set_o: array<vec4<f32>, WG_SIZE * MIX_VEC4S>;
var<workgroup> set_l: array<f32, WG_SIZE>;

// Scores of one invocation: [row][key].
alias Scores = array<array<f32, KEYS>, QK_ROWS>;

// The running state of the rows that one invocation mixes: m maximum, l sum of weights, o weighted sum of v.
struct State {
  m: array<f32, MIX_ROWS>,
  l: array<f32, MIX_ROWS>,
  o: array<array<vec4<f32>, MIX_VEC4S>, MIX_ROWS>,
}

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let work = work_of(group, groups);
  for (var r = lane; r < ROW_BLOCK; r += WG_SIZE) {
    clear_max(r);
  }
  var state = State();
  for (var r = 0u; r < MIX_ROWS; r++) { // unroll
    state.m[r] = NEG_MAX;
  }
  workgroupBarrier(); // maxima are clear
  for (var first = work.begin; first < work.end; first += TILE) {
    var scores = Scores();
    score_tile(work, first, lane, &scores);
    raise_maxima(work, first, lane, &scores);
    workgroupBarrier(); // maxima are complete, and nobody reads the weights of the tile before
    weigh_tile(work, first, lane, &scores);
    rescale(&state, lane);
    workgroupBarrier(); // weights are complete, and nobody reads the maxima any more
    mix_tile(&state, work, first, lane);
  }
  write_rows(&state, work, lane);
}

// First row of the block that this invocation scores. A constant where all score the same rows: a compiler that sees
// uniform addresses loads q once for all of them (worth a factor of two on lavapipe).
fn score_row(lane: u32) -> u32 {
  return select((lane / KEY_LANES) * QK_ROWS, 0u, QK_PARTS == 1u);
}

// First row of the block that this invocation mixes, and which of the tile's keys; constants likewise.
fn mix_row(lane: u32) -> u32 {
  return select((lane / WIDTH / KEY_SETS) * MIX_ROWS, 0u, ROW_SETS == 1u);
}

fn key_set(lane: u32) -> u32 {
  return select((lane / WIDTH) % KEY_SETS, 0u, KEY_SETS == 1u);
}

// Invocations left over when WG_SIZE is no multiple of WIDTH mix nothing.
fn mixes(lane: u32) -> bool {
  return lane / WIDTH < ROW_SETS * KEY_SETS;
}

// A row of the block, counted within its KV head. Those past the block or the head's rows are the last one there is: a row
// of the next block would raise a maximum that is not its own.
fn row_of(work: Work, row: u32) -> u32 {
  return min(work.row_start + min(row, ROW_BLOCK - 1u), ROWS - 1u);
}

// The j-th key of this invocation in the tile that begins at `first`; the last one there is where there are no more:
// slots past the end may hold anything, NaN included.
fn key_of(work: Work, first: u32, lane: u32, j: u32) -> u32 {
  return min(first + lane % KEY_LANES + j * KEY_LANES, work.end - 1u);
}

// Phase 1: dot products [row][key] of this invocation's keys, scaled from the first on: their sum may be far past f32.
fn score_tile(work: Work, first: u32, lane: u32, scores: ptr<function, Scores>) {
  let words = opaque_count(K_ROW_WORDS);
  for (var w = 0u; w < words; w++) {
    var keys = array<vec4<u32>, KEYS>();
    var scales = array<f32, KEYS>();
    for (var j = 0u; j < KEYS; j++) { // unroll
      let row = kv_row(work.kv_head, key_of(work, first, lane, j));
      keys[j] = k_cache[row * K_ROW_WORDS + w];
      scales[j] = k_word_scale(step.k_scales, row * K_ROW_WORDS + w);
    }
    let vec4s = opaque_count(K_WORD_VEC4S);
    for (var i = 0u; i < vec4s; i++) {
      let d4 = w * K_WORD_VEC4S + i;
      for (var r = 0u; r < QK_ROWS; r++) { // unroll
        let row = work.kv_head * ROWS + row_of(work, score_row(lane) + r);
        let query = select(vec4<f32>(), q[row * D4 + min(d4, D4 - 1u)], d4 < D4);
        for (var j = 0u; j < KEYS; j++) { // unroll
          (*scores)[r][j] += dot(query, k_unpack(keys[j], i) * scales[j]) * step.sm_scale;
        }
      }
    }
  }
}

// Finishes the scores, hides those that the row may not see, and raises the rows' maxima to them.
fn raise_maxima(work: Work, first: u32, lane: u32, scores: ptr<function, Scores>) {
  var scales = array<f32, KEYS>();
  for (var j = 0u; j < KEYS; j++) { // unroll
    scales[j] = k_row_scale(step.k_scales, kv_scale_row(work.kv_head, key_of(work, first, lane, j)));
  }
  for (var r = 0u; r < QK_ROWS; r++) { // unroll
    let visible = min(work.end, visible_keys(work.kv_len, row_of(work, score_row(lane) + r)));
    var highest = NEG_MAX;
    for (var j = 0u; j < KEYS; j++) { // unroll
      let score = (*scores)[r][j] * scales[j];
      (*scores)[r][j] = kept_score(score, first + lane % KEY_LANES + j * KEY_LANES < visible);
      highest = max(highest, (*scores)[r][j]);
    }
    raise_max(min(score_row(lane) + r, ROW_BLOCK - 1u), highest);
  }
}

// Turns this invocation's scores into weights. Hidden keys get weight 0.
fn weigh_tile(work: Work, first: u32, lane: u32, scores: ptr<function, Scores>) {
  for (var r = 0u; r < QK_ROWS; r++) { // unroll
    let row = score_row(lane) + r;
    if row < ROW_BLOCK {
      let m = max_so_far(row);
      for (var j = 0u; j < KEYS; j++) { // unroll
        let score = (*scores)[r][j];
        weights[row * TILE + lane % KEY_LANES + j * KEY_LANES] = select(exp(score - m), 0.0, is_hidden(score));
      }
    }
  }
}

// Brings the running state to the maxima of the tile that is about to be mixed in.
fn rescale(state: ptr<function, State>, lane: u32) {
  for (var r = 0u; r < MIX_ROWS; r++) { // unroll
    let m = max_so_far(min(mix_row(lane) + r, ROW_BLOCK - 1u));
    let shrink = exp((*state).m[r] - m);
    (*state).m[r] = m;
    (*state).l[r] *= shrink;
    for (var i = 0u; i < MIX_VEC4S; i++) { // unroll
      (*state).o[r][i] *= shrink;
    }
  }
}

// Phase 2: adds the tile's weighted values.
fn mix_tile(state: ptr<function, State>, work: Work, first: u32, lane: u32) {
  if !mixes(lane) {
    return;
  }
  let count = min(TILE, work.end - first);
  for (var key = key_set(lane); key < count; key += KEY_SETS) {
    let row = kv_row(work.kv_head, first + key);
    let row_scale = v_row_scale(step.v_scales, kv_scale_row(work.kv_head, first + key));
    var v = array<vec4<f32>, MIX_VEC4S>();
    for (var w = 0u; w < MIX_WORDS; w++) { // unroll
      let at = min(lane % WIDTH + w * WIDTH, V_ROW_WORDS - 1u);
      let word = v_cache[row * V_ROW_WORDS + at];
      let scale = v_word_scale(step.v_scales, row * V_ROW_WORDS + at);
      for (var i = 0u; i < V_WORD_VEC4S; i++) { // unroll
        v[w * V_WORD_VEC4S + i] = v_unpack(word, i) * scale;
      }
    }
    for (var r = 0u; r < MIX_ROWS; r++) { // unroll
      let weight = weights[min(mix_row(lane) + r, ROW_BLOCK - 1u) * TILE + key];
      let share = weight * row_scale;
      (*state).l[r] += weight;
      if sees(work.kv_len, row_of(work, mix_row(lane) + r), first + key) {
        for (var i = 0u; i < MIX_VEC4S; i++) { // unroll
          (*state).o[r][i] += share * v[i];
        }
      }
    }
  }
}

// Sums the sets that shared the keys and writes the rows.
fn write_rows(state: ptr<function, State>, work: Work, lane: u32) {
  for (var r = 0u; r < MIX_ROWS; r++) { // unroll
    if KEY_SETS > 1u {
      sum_sets(state, r, lane);
    }
    let row = mix_row(lane) + r;
    if mixes(lane) && key_set(lane) == 0u && row < ROW_BLOCK {
      for (var w = 0u; w < MIX_WORDS; w++) { // unroll
        for (var i = 0u; i < V_WORD_VEC4S; i++) { // unroll
          let d4 = (lane % WIDTH + w * WIDTH) * V_WORD_VEC4S + i;
          write_state(work, work.row_start + row, d4, (*state).o[r][w * V_WORD_VEC4S + i], (*state).m[r], (*state).l[r]);
        }
      }
    }
  }
}

// Adds row r of the sets that shared the keys to the first set's.
fn sum_sets(state: ptr<function, State>, r: u32, lane: u32) {
  for (var i = 0u; i < MIX_VEC4S; i++) { // unroll
    set_o[lane * MIX_VEC4S + i] = (*state).o[r][i];
  }
  set_l[lane] = (*state).l[r];
  workgroupBarrier(); // sums of all sets are there
  if mixes(lane) && key_set(lane) == 0u {
    let sets = opaque_count(KEY_SETS);
    for (var other = 1u; other < sets; other++) {
      for (var i = 0u; i < MIX_VEC4S; i++) { // unroll
        (*state).o[r][i] += set_o[(lane + other * WIDTH) * MIX_VEC4S + i];
      }
      (*state).l[r] += set_l[lane + other * WIDTH];
    }
  }
  workgroupBarrier(); // before the next row's sums
}
