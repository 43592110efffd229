// lib matrix: products of decode_matrix by subgroup matrices of f16, added in f32, UNIT by UNIT by UNIT.
//
// Matrices of K come from the cache itself, but for the block of keys in which an item ends: that is staged in workgroup memory,
// zeros behind the end, since slots there may hold anything, NaN included. So is a whole tile of V, turned: a matrix on the right
// is read by columns, and its columns are V's keys. `lane` is the invocation's number within its subgroup, for implementations that
// do without matrices.
//
// consts HEAD_DIM TILE UNIT MATRIX_ROWS WG_SIZE

@group(0) @binding(1) var<storage, read> k_cache: array<f16>;

var<workgroup> queries: array<f16, MATRIX_ROWS * HEAD_DIM>; // [row][element]
var<workgroup> weights: array<f16, MATRIX_ROWS * TILE>;     // [row][key]
var<workgroup> staged: array<f16, STAGED_KEYS * HEAD_DIM>;  // a block of K [key][element], or a tile of V [element][key]

alias Left = subgroup_matrix_left<f16, UNIT, UNIT>;
alias Right = subgroup_matrix_right<f16, UNIT, UNIT>;
alias Result = subgroup_matrix_result<f32, UNIT, UNIT>;

fn rounded(x: f32) -> f32 {
  return f32(f16(x));
}

fn put_query(at: u32, x: f32) {
  queries[at] = f16(x);
}

fn put_weight(at: u32, x: f32) {
  weights[at] = f16(x);
}

// Stages the last keys of a tile of `count` where they do not fill a block. `key` counts over the whole cache.
fn stage_keys(key: u32, count: u32, index: u32) {
  let whole = count / UNIT * UNIT;
  for (var at = index; at < UNIT * HEAD_DIM && whole < count; at += WG_SIZE) {
    let there = whole + at / HEAD_DIM < count;
    staged[at] = select(0h, k_cache[select(0u, (key + whole) * HEAD_DIM + at, there)], there);
  }
}

// Stages elements 8 * word ... of a key of the tile.
fn stage_word(key: u32, word: u32, bits: vec4<u32>) {
  let low = bitcast<vec4<f16>>(bits.xy);
  let high = bitcast<vec4<f16>>(bits.zw);
  let at = word * 8u * STAGED_KEYS + key;
  staged[at] = low.x;
  staged[at + STAGED_KEYS] = low.y;
  staged[at + 2u * STAGED_KEYS] = low.z;
  staged[at + 3u * STAGED_KEYS] = low.w;
  staged[at + 4u * STAGED_KEYS] = high.x;
  staged[at + 5u * STAGED_KEYS] = high.y;
  staged[at + 6u * STAGED_KEYS] = high.z;
  staged[at + 7u * STAGED_KEYS] = high.w;
}

// products [row][key] of one whole block of keys. K is [key][element]: read by columns it is its transpose.
fn multiply_keys(key: u32, block: u32, lane: u32) {
  for (var row = 0u; row < MATRIX_ROWS; row += UNIT) {
    var sum = Result();
    for (var d = 0u; d < HEAD_DIM; d += UNIT) {
      let left = subgroupMatrixLoad<Left, row_major>(&queries, row * HEAD_DIM + d, HEAD_DIM);
      let right = subgroupMatrixLoad<Right, col_major>(&k_cache, (key + block * UNIT) * HEAD_DIM + d, HEAD_DIM);
      sum = subgroupMatrixMultiplyAccumulate(left, right, sum);
    }
    subgroupMatrixStore<row_major>(&products, row * TILE + block * UNIT, sum, TILE);
  }
}

// The same for the staged block; every subgroup writes the same.
fn multiply_staged_keys(block: u32, lane: u32) {
  for (var row = 0u; row < MATRIX_ROWS; row += UNIT) {
    var sum = Result();
    for (var d = 0u; d < HEAD_DIM; d += UNIT) {
      let left = subgroupMatrixLoad<Left, row_major>(&queries, row * HEAD_DIM + d, HEAD_DIM);
      let right = subgroupMatrixLoad<Right, col_major>(&staged, d, HEAD_DIM);
      sum = subgroupMatrixMultiplyAccumulate(left, right, sum);
    }
    subgroupMatrixStore<row_major>(&products, row * TILE + block * UNIT, sum, TILE);
  }
}

// products [row][element] of one block of elements with all keys of the tile: with zeros for those that are not there.
fn multiply_values(block: u32, lane: u32) {
  for (var row = 0u; row < MATRIX_ROWS; row += UNIT) {
    var sum = Result();
    for (var t = 0u; t < TILE; t += UNIT) {
      let left = subgroupMatrixLoad<Left, row_major>(&weights, row * TILE + t, TILE);
      let right = subgroupMatrixLoad<Right, col_major>(&staged, block * UNIT * STAGED_KEYS + t, STAGED_KEYS);
      sum = subgroupMatrixMultiplyAccumulate(left, right, sum);
    }
    subgroupMatrixStore<row_major>(&products, row * HEAD_DIM + block * UNIT, sum, HEAD_DIM);
  }
}
