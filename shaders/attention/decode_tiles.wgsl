// decode_tiles.wgsl: one KV head's query rows attend to one item of the plan, in tiles of keys: needs no subgroups.
//
// A workgroup walks the item's keys in tiles of TILE. All exchanges go through workgroup memory, PACK rows at a time:
//   1. score    LANES invocations share a key: each takes the products of its words of K with SCORE_PACKS packs of rows
//   2. finish   an invocation owns a pack of rows and every GROUPS-th key: it sums their scores and finds the greatest
//   3. weigh    of each score it makes a weight, exp(score - m) with m the running maximum of its row
//   4. mix      WIDTH invocations cover a row of V: each adds its weighted elements to MIX_PACKS packs of rows
// with a barrier after each of the first three.
//
// in   q       rows of D                      lib query_*, where lib step says
//      k_cache [B, Hkv, capacity, D]          words of 16 bytes, lib elements_* as k_*
//      v_cache [B, Hkv, capacity, Dv]         words of 16 bytes, lib elements_* as v_*
//      step    Step                           lib step
// out  the state of each row                  lib work
// grid lib work; a workgroup owns ROW_BLOCK rows of a KV head in one item
// consts HEAD_DIM V_DIM GROUP_SIZE NUM_KV_HEADS CAUSAL MASKED ROW_BLOCK ONE_BLOCK, and those of src/kernels/decodeTiles.ts
// libs step numbers scores work one of rows_* pack_* query_* place_*, elements_* as k_* and as v_*

@group(0) @binding(1) var<storage, read> k_cache: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> v_cache: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> step: Step;

const D4 = HEAD_DIM / 4u;
const PACKS = (ROW_BLOCK + PACK - 1u) / PACK;

// 1: teams of LANES invocations take a key each, or, SCORE_SETS of them, the packs of one.
const TEAMS = WG_SIZE / LANES / SCORE_SETS;
const LANE_STRIDE = LANES | 1u; // odd, so that neighbours meet different banks

// 2, 3
const ITEMS = PACKS * GROUPS;

// 4: WIDTH invocations cover a row of V. Sets of WIDTH share the packs, MIX_PACKS each, and then the keys.
const V_PARTS = V_WORD_VEC4S / V_PIECE_VEC4S;
const V_PIECES = V_ROW_WORDS * V_PARTS;
const WIDTH = (V_PIECES + MIX_PIECES - 1u) / MIX_PIECES;
const KEY_SETS = WG_SIZE / WIDTH / MIX_SETS;
const ROW_VEC4S = WIDTH * MIX_VEC4S;

const K_PARTS = K_WORD_VEC4S / K_PIECE_VEC4S;
const K_PIECES = K_ROW_WORDS * K_PARTS;

const_assert TEAMS >= 1u && TILE % GROUPS == 0u;
const_assert SLICES * SLICE_PIECES * LANES >= K_PIECES && K_PARTS * K_PIECE_VEC4S == K_WORD_VEC4S;
const_assert SCORE_ROWS == SCORE_PACKS * PACK && SCORE_PACKS * SCORE_SETS >= PACKS;
const_assert MIX_ROWS == MIX_PACKS * PACK && MIX_PACKS * MIX_SETS >= PACKS && KEY_SETS >= 1u;
const_assert MIX_VEC4S == MIX_PIECES * V_PIECE_VEC4S && V_PARTS * V_PIECE_VEC4S == V_WORD_VEC4S;

var<workgroup> partials: array<Pack, TILE * PACKS * LANE_STRIDE>; // [key][pack][lane]: sums of products
var<workgroup> weights: array<Pack, TILE * PACKS>;                // [key][pack]: scores, then weights
var<workgroup> highest: array<Pack, ITEMS>;                       // [pack][group]: the greatest score of a tile
var<workgroup> sums: array<Pack, ITEMS>;                          // [pack][group]: l
var<workgroup> maxima: array<Pack, 2u * PACKS>;                   // [tile's parity][pack]: m
var<workgroup> shrinks: array<Pack, PACKS>;                       // what a tile shrinks o and l by
var<workgroup> set_o: array<vec4<f32>, KEY_SETS * MIX_SETS * OUT_ROWS * ROW_VEC4S>; // [set][row][vec4]

alias Mixed = array<array<vec4<f32>, MIX_VEC4S>, MIX_ROWS>;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = place_of_group(group);
  let work = work_at(place);
  if is_idle(work) {
    return;
  }
  keep_place(lane == 0u, place);
  for (var p = lane; p < PACKS; p += WG_SIZE) { // bounded
    maxima[p] = Pack(NEG_MAX);
  }
  var queries = Queries();
  load_queries(work, lane, &queries);
  var o = Mixed();
  var side = 0u;
  for (var first = work.begin; first < work.end; first += TILE) { // bounded
    let count = min(TILE, work.end - first);
    score(work, first, count, lane, &queries);
    workgroupBarrier(); // sums of products are there
    finish(work, first, count, lane);
    workgroupBarrier(); // scores are there
    weigh(work, first, count, lane, side);
    side = 1u - side;
    workgroupBarrier(); // weights are there
    mix(work, first, count, lane, &o);
  }
  workgroupBarrier(); // sums and maxima are there, even if there was no tile
  // Where they go anew, from what the compiler cannot know to be 0: kept through the loop, it would take registers.
  let zero = work.end >> 31u;
  write_rows(work_at(place_again(place, zero)), lane, side, &o);
}

// A row of the block, counted within its KV head. Those past the block are its last one.
fn row_of(work: Work, row: u32) -> u32 {
  return work.row_start + min(row, ROW_BLOCK - 1u);
}

// First row of the block that this invocation scores.
fn score_row(lane: u32) -> u32 {
  return select(lane / LANES % SCORE_SETS * SCORE_ROWS, 0u, SCORE_SETS == 1u);
}

// Which vec4 of a row of K is the i-th of an invocation; there may be no such vec4.
fn lane_vec4(lane: u32, i: u32) -> u32 {
  return (i / K_PIECE_VEC4S * LANES + lane % LANES) * K_PIECE_VEC4S + i % K_PIECE_VEC4S;
}

// A piece of a word of K, repeated until it fills a word: so that its vec4s are the first ones, whatever piece it is.
fn k_piece(word: u32, part: u32) -> vec4<u32> {
  if K_PARTS == 4u {
    return vec4<u32>(k_cache[word][part]);
  }
  if K_PARTS == 2u {
    let half = vec2<u32>(k_cache[word][2u * part], k_cache[word][2u * part + 1u]);
    return vec4<u32>(half, half);
  }
  return k_cache[word];
}

fn v_piece(word: u32, part: u32) -> vec4<u32> {
  if V_PARTS == 4u {
    return vec4<u32>(v_cache[word][part]);
  }
  if V_PARTS == 2u {
    let half = vec2<u32>(v_cache[word][2u * part], v_cache[word][2u * part + 1u]);
    return vec4<u32>(half, half);
  }
  return v_cache[word];
}

fn score(work: Work, first: u32, count: u32, lane: u32, queries: ptr<function, Queries>) {
  let team = lane / LANES / SCORE_SETS;
  let within = lane % LANES;
  for (var t = 0u; t < count; t += TEAMS) { // bounded
    let key = kv_row(work.kv_head, min(first + t + team, work.end - 1u));
    var scores = array<f32, SCORE_ROWS>();
    let slices = select(opaque_count(SLICES), 1u, SLICES == 1u);
    for (var s = 0u; s < slices; s++) { // bounded
      for (var n = 0u; n < SLICE_PIECES; n++) { // unroll
        let piece = select(s, 0u, SLICES == 1u) * SLICE_PIECES + n;
        let at = min(piece * LANES + within, K_PIECES - 1u);
        let word = key * K_ROW_WORDS + at / K_PARTS;
        let k = k_piece(word, at % K_PARTS);
        let scale = k_word_scale(step.k_scales, word);
        for (var i = 0u; i < K_PIECE_VEC4S; i++) { // unroll
          let four = k_unpack(k, i) * scale;
          for (var r = 0u; r < SCORE_ROWS; r++) { // unroll
            scores[r] += dot(query_of(queries, lane, r, piece * K_PIECE_VEC4S + i), four);
          }
        }
      }
    }
    for (var p = 0u; p < SCORE_PACKS; p++) { // unroll
      var rows = array<f32, PACK>();
      for (var r = 0u; r < PACK; r++) { // unroll
        rows[r] = scores[p * PACK + r];
      }
      let pack = score_row(lane) / PACK + p;
      if t + team < TILE && pack < PACKS && team < TEAMS {
        partials[((t + team) * PACKS + pack) * LANE_STRIDE + within] = packed(rows);
      }
    }
  }
}

fn finish(work: Work, first: u32, count: u32, lane: u32) {
  for (var item = lane; item < ITEMS; item += WG_SIZE) { // bounded
    let pack = item / GROUPS;
    var greatest = Pack(NEG_MAX);
    for (var n = item % GROUPS; n < count; n += GROUPS) { // bounded
      var sum = Pack();
      let lanes = opaque_count(LANES);
      for (var p = 0u; p < lanes; p++) { // bounded
        sum += partials[(n * PACKS + pack) * LANE_STRIDE + p];
      }
      let scale = k_row_scale(step.k_scales, kv_scale_row(work.kv_head, first + n));
      var scores = array<f32, PACK>();
      for (var r = 0u; r < PACK; r++) { // unroll
        let row = query_row(work, row_of(work, pack * PACK + r));
        scores[r] = finish_score(unpacked(sum, r) * scale, row, first + n, sees(row, first + n));
      }
      let score = packed(scores);
      greatest = max(greatest, score);
      weights[n * PACKS + pack] = score;
    }
    highest[item] = greatest;
  }
}

fn weigh(work: Work, first: u32, count: u32, lane: u32, side: u32) {
  for (var item = lane; item < ITEMS; item += WG_SIZE) { // bounded
    let pack = item / GROUPS;
    let old = maxima[side * PACKS + pack];
    var m = old;
    let groups = opaque_count(GROUPS);
    for (var g = 0u; g < groups; g++) { // bounded
      m = max(m, highest[pack * GROUPS + g]);
    }
    let shrink = exp(old - m);
    var l = sums[item] * shrink;
    for (var n = item % GROUPS; n < count; n += GROUPS) { // bounded
      let score = weights[n * PACKS + pack];
      let weight = select(exp(score - m), Pack(), score == Pack(NEG_MAX));
      l += weight;
      weights[n * PACKS + pack] = weight * v_row_scale(step.v_scales, kv_scale_row(work.kv_head, first + n));
    }
    sums[item] = l;
    if item % GROUPS == 0u {
      maxima[(1u - side) * PACKS + pack] = m;
      shrinks[pack] = shrink;
    }
  }
}

fn mixes(lane: u32) -> bool {
  return lane / WIDTH < MIX_SETS * KEY_SETS;
}

// First row of the block that this invocation mixes.
fn mix_row(lane: u32) -> u32 {
  return select(lane / WIDTH / KEY_SETS * MIX_ROWS, 0u, MIX_SETS == 1u);
}

fn key_set(lane: u32) -> u32 {
  return select(lane / WIDTH % KEY_SETS, 0u, KEY_SETS == 1u);
}

fn mix_piece(lane: u32, n: u32) -> u32 {
  return n * WIDTH + lane % WIDTH;
}

// Which vec4 of a row is the i-th of an invocation; there may be no such vec4.
fn out_vec4(lane: u32, i: u32) -> u32 {
  return mix_piece(lane, i / V_PIECE_VEC4S) * V_PIECE_VEC4S + i % V_PIECE_VEC4S;
}

fn mix(work: Work, first: u32, count: u32, lane: u32, o: ptr<function, Mixed>) {
  if WG_SIZE % WIDTH != 0u && !mixes(lane) {
    return;
  }
  for (var p = 0u; p < MIX_PACKS; p++) { // unroll
    let shrink = shrinks[min(mix_row(lane) / PACK + p, PACKS - 1u)];
    for (var r = 0u; r < PACK; r++) { // unroll
      for (var i = 0u; i < MIX_VEC4S; i++) { // unroll
        (*o)[p * PACK + r][i] *= unpacked(shrink, r);
      }
    }
  }
  for (var t = key_set(lane); t < count; t += KEY_SETS) { // bounded
    let row = kv_row(work.kv_head, first + t);
    var v = array<vec4<f32>, MIX_VEC4S>();
    for (var n = 0u; n < MIX_PIECES; n++) { // unroll
      let at = min(mix_piece(lane, n), V_PIECES - 1u);
      let place = row * V_ROW_WORDS + at / V_PARTS;
      let word = v_piece(place, at % V_PARTS);
      let scale = v_word_scale(step.v_scales, place);
      for (var i = 0u; i < V_PIECE_VEC4S; i++) { // unroll
        v[n * V_PIECE_VEC4S + i] = v_unpack(word, i) * scale;
      }
    }
    for (var p = 0u; p < MIX_PACKS; p++) { // unroll
      let pack = min(mix_row(lane) / PACK + p, PACKS - 1u);
      let weight = weights[t * PACKS + pack];
      for (var r = 0u; r < PACK; r++) { // unroll
        if sees(query_row(work, row_of(work, pack * PACK + r)), first + t) {
          for (var i = 0u; i < MIX_VEC4S; i++) { // unroll
            (*o)[p * PACK + r][i] += unpacked(weight, r) * v[i];
          }
        }
      }
    }
  }
}

// Sums the sets that shared the keys and writes the rows, OUT_ROWS of each set at a time.
fn write_rows(work: Work, lane: u32, side: u32, o: ptr<function, Mixed>) {
  for (var turn = 0u; turn < OUT_TURNS; turn++) { // unroll
    if mixes(lane) {
      for (var r = 0u; r < OUT_ROWS; r++) { // unroll
        for (var i = 0u; i < MIX_VEC4S; i++) { // unroll
          set_o[((key_set(lane) * MIX_SETS + mix_row(lane) / MIX_ROWS) * OUT_ROWS + r) * ROW_VEC4S + out_vec4(lane, i)] =
            (*o)[turn * OUT_ROWS + r][i];
        }
      }
    }
    workgroupBarrier(); // o of all sets is there
    for (var n = lane; n < MIX_SETS * OUT_ROWS * ROW_VEC4S; n += WG_SIZE) { // bounded
      let row = n / ROW_VEC4S / OUT_ROWS * MIX_ROWS + turn * OUT_ROWS + n / ROW_VEC4S % OUT_ROWS;
      if row < ROW_BLOCK {
        write_vec4(work, row, n, side);
      }
    }
    workgroupBarrier(); // before the next rows
  }
}

fn write_vec4(work: Work, row: u32, n: u32, side: u32) {
  var sum = vec4<f32>();
  let sets = opaque_count(KEY_SETS);
  for (var s = 0u; s < sets; s++) { // bounded
    sum += set_o[s * (MIX_SETS * OUT_ROWS * ROW_VEC4S) + n];
  }
  let m = maxima[side * PACKS + row / PACK];
  var l = Pack();
  let groups = opaque_count(GROUPS);
  for (var g = 0u; g < groups; g++) { // bounded
    l += sums[row / PACK * GROUPS + g];
  }
  write_state(work, work.row_start + row, n % ROW_VEC4S, sum, unpacked(m, row % PACK), unpacked(l, row % PACK));
}
