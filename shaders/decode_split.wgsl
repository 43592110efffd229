// decode_split.wgsl: one KV head's query rows attend to one split of its cache: flash-decoding for a whole group.
//
// A workgroup walks its split in tiles of TILE keys, in two phases with one barrier after each:
//   1. scores: an invocation owns keys; it loads each K vector once and takes its dot product with every row
//   2. mix:    an invocation owns four elements of D; it loads each V vector once and adds it to every row
// Between them each score becomes a weight, exp(score - m) with m the running maximum of its row: once per score.
//
// in   q       [B, Hkv, ROWS, D/4] vec4 f32   ROWS = GROUP_SIZE * Q_LEN query rows of a KV head
//      k_cache [B, Hkv, capacity, D]          lib k_*
//      v_cache [B, Hkv, capacity, D]          lib v_*
//      step    Step                           lib step
// out  the state of each row                  lib out_*
// grid (num_splits, Hkv * ROW_BLOCKS, B); a workgroup owns ROW_BLOCK rows of a KV head in one split
// consts HEAD_DIM ROWS ROW_BLOCK WG_SIZE TILE Q_LEN CAUSAL
// libs step numbers row_max, and one each of raise_max_* k_* v_* out_*

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> step: Step;

const D4 = HEAD_DIM / 4u;
const ROW_BLOCKS = (ROWS + ROW_BLOCK - 1u) / ROW_BLOCK;

// Phase 1: KEY_LANES invocations side by side, each with KEYS keys of a tile. Where a tile has fewer keys than
// there are invocations, QK_PARTS of them share a key's rows.
const KEY_LANES = min(TILE, WG_SIZE);
const KEYS = TILE / KEY_LANES;
const QK_PARTS = WG_SIZE / KEY_LANES;
const QK_ROWS = (ROW_BLOCK + QK_PARTS - 1u) / QK_PARTS;

// Phase 2: D4 invocations cover a vector. Further sets of D4 share the keys, or the rows where those are too many.
const MAX_MIX_ROWS = 8u; // a row takes four registers
const SETS = WG_SIZE / D4;
const ROW_SETS = min(SETS, (ROW_BLOCK + MAX_MIX_ROWS - 1u) / MAX_MIX_ROWS);
const KEY_SETS = SETS / ROW_SETS;
const MIX_ROWS = (ROW_BLOCK + ROW_SETS - 1u) / ROW_SETS;

const_assert HEAD_DIM % 4u == 0u;
const_assert WG_SIZE >= D4;
const_assert WG_SIZE % KEY_LANES == 0u;
const_assert TILE % KEY_LANES == 0u;

var<workgroup> weights: array<f32, ROW_BLOCK * TILE>; // [row][key]
var<workgroup> set_o: array<vec4<f32>, WG_SIZE>;
var<workgroup> set_l: array<f32, WG_SIZE>;

// Scores of one invocation: [row][key].
alias Scores = array<array<f32, KEYS>, QK_ROWS>;

// What a workgroup works on.
struct Work {
  kv_len: u32,
  row_start: u32,    // first row of the block within its KV head
  rows: u32,         // rows in the block
  first_row: u32,    // the same row counted over all KV heads and sequences: index of q and of the outputs
  first_vector: u32, // index of the KV head's first vec4 in the caches
}

// The running state of the rows that one invocation mixes: m maximum, l sum of weights, o weighted sum of v.
struct State {
  m: array<f32, MIX_ROWS>,
  l: array<f32, MIX_ROWS>,
  o: array<vec4<f32>, MIX_ROWS>,
}

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row_start = (group.y % ROW_BLOCKS) * ROW_BLOCK;
  let kv_head = (group.z * groups.y + group.y) / ROW_BLOCKS; // counted over all sequences
  let kv_len = step.kv_lens[group.z];
  let work = Work(
    kv_len,
    row_start,
    min(ROW_BLOCK, ROWS - row_start),
    kv_head * ROWS + row_start,
    kv_head * step.capacity * D4,
  );
  let begin = min(group.x * step.split_len, kv_len);
  let end = min(begin + step.split_len, kv_len);

  for (var r = lane; r < ROW_BLOCK; r += WG_SIZE) {
    clear_max(r);
  }
  var state = State();
  for (var r = 0u; r < MIX_ROWS; r++) {
    state.m[r] = NEG_MAX;
  }
  workgroupBarrier(); // maxima are clear
  for (var first = begin; first < end; first += TILE) {
    var scores = score_tile(work, first, end, lane);
    workgroupBarrier(); // maxima are complete, and nobody reads the weights of the tile before
    weigh_tile(&scores, work.rows, lane);
    rescale(&state, lane);
    workgroupBarrier(); // weights are complete, and nobody reads the maxima any more
    mix_tile(&state, work, first, min(TILE, end - first), lane);
  }
  write_rows(&state, work, group.x, lane);
}

// First row of the block that this invocation scores. A constant where all score the same rows: a compiler that sees
// uniform addresses loads q once for all of them (worth a factor of two on lavapipe).
fn score_row(lane: u32) -> u32 {
  return select((lane / KEY_LANES) * QK_ROWS, 0u, QK_PARTS == 1u);
}

// First row of the block that this invocation mixes, and which of the tile's keys; constants likewise.
fn mix_row(lane: u32) -> u32 {
  return select((lane / D4 / KEY_SETS) * MIX_ROWS, 0u, ROW_SETS == 1u);
}

fn key_set(lane: u32) -> u32 {
  return select((lane / D4) % KEY_SETS, 0u, KEY_SETS == 1u);
}

// Invocations left over when WG_SIZE is no multiple of D4 mix nothing.
fn mixes(lane: u32) -> bool {
  return lane / D4 < ROW_SETS * KEY_SETS;
}

// Phase 1: scaled scores [row][key] of this invocation, NEG_MAX where the row may not see the key.
fn score_tile(work: Work, first: u32, end: u32, lane: u32) -> Scores {
  var scores = Scores();
  let key0 = first + lane % KEY_LANES;
  let count = opaque_count(D4);
  for (var i = 0u; i < count; i++) {
    var k = array<vec4<f32>, KEYS>();
    for (var j = 0u; j < KEYS; j++) {
      let key = min(key0 + j * KEY_LANES, end - 1u); // slots past the end may hold anything, NaN included
      k[j] = load_k(work.first_vector + key * D4 + i);
    }
    for (var r = 0u; r < QK_ROWS; r++) {
      let row = min(score_row(lane) + r, work.rows - 1u);
      let query = q[(work.first_row + row) * D4 + i];
      for (var j = 0u; j < KEYS; j++) {
        scores[r][j] += dot(query, k[j]);
      }
    }
  }
  for (var r = 0u; r < QK_ROWS; r++) {
    let row = min(score_row(lane) + r, work.rows - 1u);
    let visible = min(end, visible_keys(work.kv_len, work.row_start + row));
    var highest = NEG_MAX;
    for (var j = 0u; j < KEYS; j++) {
      let score = scores[r][j] * step.sm_scale;
      scores[r][j] = select(NEG_MAX, score, key0 + j * KEY_LANES < visible);
      highest = max(highest, scores[r][j]);
    }
    raise_max(row, highest);
  }
  return scores;
}

// Turns this invocation's scores into weights. Hidden keys get weight 0.
fn weigh_tile(scores: ptr<function, Scores>, rows: u32, lane: u32) {
  for (var r = 0u; r < QK_ROWS; r++) {
    let row = score_row(lane) + r;
    if row < rows {
      let m = max_so_far(row);
      for (var j = 0u; j < KEYS; j++) {
        let score = (*scores)[r][j];
        weights[row * TILE + lane % KEY_LANES + j * KEY_LANES] = select(0.0, exp(score - m), score > NEG_MAX);
      }
    }
  }
}

// Brings the running state to the maxima of the tile that is about to be mixed in.
fn rescale(state: ptr<function, State>, lane: u32) {
  for (var r = 0u; r < MIX_ROWS; r++) {
    let m = max_so_far(min(mix_row(lane) + r, ROW_BLOCK - 1u));
    let shrink = exp((*state).m[r] - m);
    (*state).m[r] = m;
    (*state).l[r] *= shrink;
    (*state).o[r] *= shrink;
  }
}

// Phase 2: adds the tile's weighted values.
fn mix_tile(state: ptr<function, State>, work: Work, first: u32, count: u32, lane: u32) {
  if !mixes(lane) {
    return;
  }
  for (var key = key_set(lane); key < count; key += KEY_SETS) {
    let v = load_v(work.first_vector + (first + key) * D4 + lane % D4);
    for (var r = 0u; r < MIX_ROWS; r++) {
      let weight = weights[min(mix_row(lane) + r, ROW_BLOCK - 1u) * TILE + key];
      (*state).l[r] += weight;
      (*state).o[r] += weight * v;
    }
  }
}

// Sums the sets that shared the keys and writes the rows.
fn write_rows(state: ptr<function, State>, work: Work, split: u32, lane: u32) {
  for (var r = 0u; r < MIX_ROWS; r++) {
    set_o[lane] = (*state).o[r];
    set_l[lane] = (*state).l[r];
    workgroupBarrier(); // sums of all sets are there
    let row = mix_row(lane) + r;
    if mixes(lane) && key_set(lane) == 0u && row < work.rows {
      var o = set_o[lane];
      var l = set_l[lane];
      for (var other = 1u; other < KEY_SETS; other++) {
        o += set_o[lane + other * D4];
        l += set_l[lane + other * D4];
      }
      write_state(work.first_row + row, split, lane % D4, o, (*state).m[r], l);
    }
    workgroupBarrier(); // before the next row's sums
  }
}
