// prefill.wgsl: blocks of one KV head's query rows attend to one item of the plan: for chunks of many positions.
//
// A workgroup walks the item's keys in tiles of TILE, from the first to the last that any of its rows sees. An invocation has
// ROWS rows by KEYS keys of a tile's products, and of the output ROWS rows by PARTS vec4s:
//   1. score   products of its rows and keys                lib keys_*
//   2. finish  GROUPS invocations share a row's products: scores, and the greatest of each one's
//   3. weigh   the same make weights of scores, exp(score - m) with m the running maximum of the row
//   4. mix     each adds its part of V, weighted, to its rows
// with a barrier after each of the first three.
//
// in   q       rows of D                      lib query_*, where lib step says
//      k_cache [B, Hkv, capacity, D]          words of four elements (of int4 eight), libs words_*, elements_*, scales_* as k_*
//      v_cache [B, Hkv, capacity, Dv]         the same as v_*
//      step    Step                           lib step
// out  the state of each row                  lib work
// grid lib work; a workgroup owns ROW_BLOCK rows of a KV head in one item
// consts HEAD_DIM V_DIM GROUP_SIZE NUM_KV_HEADS CAUSAL MASKED SINK_TOKENS ROW_BLOCK ONE_BLOCK, and those of src/kernels/prefill.ts
// libs step numbers scores work one of keys_* rows_* query_*, one each of words_*, elements_* and scales_* as k_* and as v_*

@group(0) @binding(1) var<storage, read> k_cache: array<KWord>;
@group(0) @binding(2) var<storage, read> v_cache: array<VWord>;
@group(0) @binding(3) var<storage, read> step: Step;

const D4 = HEAD_DIM / 4u;
const V4 = V_DIM / 4u;
const ROW_TEAMS = ROW_BLOCK / ROWS;
const COLUMNS = TILE / KEYS;
const WG_SIZE = ROW_TEAMS * COLUMNS;
const ITEMS = ROW_BLOCK * GROUPS;

const_assert ROW_TEAMS * ROWS == ROW_BLOCK && COLUMNS * KEYS == TILE && PARTS * COLUMNS >= V4;
const_assert OUT_TURNS * OUT_ROWS == ROWS;

var<workgroup> weights: array<f32, TILE * ROW_BLOCK>; // [key][row]: products, then scores, then weights
var<workgroup> highest: array<f32, ITEMS>;            // [group][row]: the greatest score of a tile
var<workgroup> sums: array<f32, ITEMS>;               // [group][row]: l
var<workgroup> maxima: array<f32, 2u * ROW_BLOCK>;    // [tile's parity][row]: m
var<workgroup> shrinks: array<f32, ROW_BLOCK>;        // what a tile shrinks o by
var<workgroup> out: array<vec4<f32>, WG_SIZE * OUT_ROWS>; // [row][invocation]: of o, on its way out

const HIDDEN = -1.0; // the weight of a key that a row does not see: 0 times a V of NaN would not be 0

alias Products = array<array<f32, KEYS>, ROWS>;
alias Mixed = array<array<vec4<f32>, PARTS>, ROWS>;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let work = work_at(place_of_group(group));
  if is_idle(work) {
    return;
  }
  let last = row_there(work, work.row_start + ROW_BLOCK - 1u);
  let end = min(work.end, visible_keys(work.kv_len, work.q_len, position_of(last)));
  let open = open_keys(work.kv_len, work.q_len, position_of(work.row_start), work.begin);
  for (var row = lane; row < ROW_BLOCK; row += WG_SIZE) { // bounded
    maxima[row] = NEG_MAX;
  }
  prepare(work, lane);
  var o = Mixed();
  var side = 0u;
  let window = window_tile(work);
  var first = select(window, work.begin, work.begin < SINK_TOKENS);
  // There are no more tiles than keys.
  for (var tile = 0u; tile < end; tile++) { // bounded
    if first >= end {
      break;
    }
    let count = min(TILE, end - first);
    score(work, first, end, lane);
    workgroupBarrier(); // products are there, and the weights before are used
    finish(work, first, count, lane);
    workgroupBarrier(); // scores are there
    weigh(work, first, count, lane, side);
    side = 1u - side;
    workgroupBarrier(); // weights are there
    shrink(lane, &o);
    if !MASKED || first + count <= open {
      mix(work, first, count, lane, false, &o);
    } else {
      mix(work, first, count, lane, true, &o);
    }
    first = next_tile(first, window);
  }
  workgroupBarrier(); // maxima are there, even if there was no tile
  write_rows(work, lane, side, &o);
}

// Where the first tile begins with a key of any row's window. A row's sums do not depend on it.
fn window_tile(work: Work) -> u32 {
  let seen = first_key(work.kv_len, work.q_len - 1u - position_of(work.row_start));
  return work.begin + (max(seen, work.begin) - work.begin) / TILE * TILE;
}

// The tile behind one: from the last that sink tokens lie in to the first of a window.
fn next_tile(first: u32, window: u32) -> u32 {
  let next = first + TILE;
  return select(next, max(next, window), SINK_TOKENS > 0u && next >= SINK_TOKENS);
}

// The invocation's r-th row, within the block.
fn block_row(lane: u32, r: u32) -> u32 {
  return select(lane / COLUMNS * ROWS, 0u, ROW_TEAMS == 1u) + r;
}

fn column(lane: u32) -> u32 {
  return select(lane % COLUMNS, lane, ROW_TEAMS == 1u);
}

fn tile_key(lane: u32, c: u32) -> u32 {
  return c * COLUMNS + column(lane);
}

fn part(lane: u32, p: u32) -> u32 {
  return p * COLUMNS + column(lane);
}

fn k_vec4(row: u32, i: u32) -> vec4<f32> {
  let word = row * K_ROW_WORDS + i / K_WORD_VEC4S;
  return k_unpack(k_cache[word], i % K_WORD_VEC4S) * k_word_scale(step.k_scales, word);
}

fn v_vec4(row: u32, i: u32) -> vec4<f32> {
  let word = row * V_ROW_WORDS + i / V_WORD_VEC4S;
  return v_unpack(v_cache[word], i % V_WORD_VEC4S) * v_word_scale(step.v_scales, word);
}

fn scaled_query(work: Work, row: u32, i: u32) -> vec4<f32> {
  return query_vec4(query_start(work, work.row_start + row) + i) * step.sm_scale;
}

fn keep_products(lane: u32, products: ptr<function, Products>) {
  for (var c = 0u; c < KEYS; c++) { // unroll
    for (var r = 0u; r < ROWS; r++) { // unroll
      weights[tile_key(lane, c) * ROW_BLOCK + block_row(lane, r)] = (*products)[r][c];
    }
  }
}

fn finish(work: Work, first: u32, count: u32, lane: u32) {
  for (var item = lane; item < ITEMS; item += WG_SIZE) { // bounded
    let row = query_row(work, work.row_start + item % ROW_BLOCK);
    var greatest = NEG_MAX;
    for (var t = item / ROW_BLOCK; t < count; t += GROUPS) { // bounded
      let at = t * ROW_BLOCK + item % ROW_BLOCK;
      let product = weights[at] * k_row_scale(step.k_scales, kv_scale_row(work.kv_head, first + t));
      let score = finish_score(product, row, first + t, sees(row, first + t));
      weights[at] = score;
      greatest = max(greatest, score);
    }
    highest[item] = greatest;
  }
}

fn weigh(work: Work, first: u32, count: u32, lane: u32, side: u32) {
  for (var item = lane; item < ITEMS; item += WG_SIZE) { // bounded
    let row = item % ROW_BLOCK;
    let old = maxima[side * ROW_BLOCK + row];
    var m = old;
    let groups = opaque_count(GROUPS);
    for (var g = 0u; g < groups; g++) { // bounded
      m = max(m, highest[g * ROW_BLOCK + row]);
    }
    var l = sums[item] * exp(old - m);
    for (var t = item / ROW_BLOCK; t < count; t += GROUPS) { // bounded
      let at = t * ROW_BLOCK + row;
      let score = weights[at];
      let weight = select(exp(score - m), 0.0, is_hidden(score));
      l += weight;
      let scale = v_row_scale(step.v_scales, kv_scale_row(work.kv_head, first + t));
      weights[at] = select(weight * scale, HIDDEN, is_hidden(score));
    }
    sums[item] = l;
    if item < ROW_BLOCK {
      maxima[(1u - side) * ROW_BLOCK + row] = m;
      shrinks[row] = exp(old - m);
    }
  }
}

fn shrink(lane: u32, o: ptr<function, Mixed>) {
  for (var r = 0u; r < ROWS; r++) { // unroll
    let factor = shrinks[block_row(lane, r)];
    for (var p = 0u; p < PARTS; p++) { // unroll
      (*o)[r][p] *= factor;
    }
  }
}

// `masked`: some rows do not see some of the tile's keys. A literal, so that other tiles have no branch.
fn mix(work: Work, first: u32, count: u32, lane: u32, masked: bool, o: ptr<function, Mixed>) {
  for (var t = 0u; t < count; t++) { // bounded
    let key = kv_row(work.kv_head, first + t);
    var values = array<vec4<f32>, PARTS>();
    for (var p = 0u; p < PARTS; p++) { // unroll
      values[p] = v_vec4(key, min(part(lane, p), V4 - 1u));
    }
    for (var r = 0u; r < ROWS; r++) { // unroll
      let weight = weights[t * ROW_BLOCK + block_row(lane, r)];
      for (var p = 0u; p < PARTS; p++) { // unroll
        (*o)[r][p] += select(weight * values[p], vec4<f32>(), masked && weight == HIDDEN);
      }
    }
  }
}

// By way of workgroup memory, so that what writes a row is there once and not for each row and part.
fn write_rows(work: Work, lane: u32, side: u32, o: ptr<function, Mixed>) {
  for (var p = 0u; p < PARTS; p++) { // unroll
    for (var turn = 0u; turn < OUT_TURNS; turn++) { // unroll
      for (var r = 0u; r < OUT_ROWS; r++) { // unroll
        out[r * WG_SIZE + lane] = (*o)[turn * OUT_ROWS + r][p];
      }
      write_part(work, lane, side, turn * OUT_ROWS, part(lane, p));
    }
  }
}

fn write_part(work: Work, lane: u32, side: u32, begin: u32, i: u32) {
  let rows = opaque_count(OUT_ROWS);
  for (var r = 0u; r < rows; r++) { // bounded
    let row = block_row(lane, begin + r);
    var l = 0.0;
    let groups = opaque_count(GROUPS);
    for (var g = 0u; g < groups; g++) { // bounded
      l += sums[g * ROW_BLOCK + row];
    }
    write_state(work, work.row_start + row, i, out[r * WG_SIZE + lane], maxima[side * ROW_BLOCK + row], l);
  }
}
