// matrixEmulation.ts: lib matrix without matrices, so that decode_matrix runs on any device with subgroups of four or more.

/** Stands in for shaders/lib/matrix.wgsl: the same functions in plain loops, f16 by rounding, for caches of f16 in words. */
export const EMULATED_MATRIX = `
@group(0) @binding(1) var<storage, read> k_cache: array<u32>;

var<workgroup> queries: array<u32, MATRIX_ROWS * HEAD_DIM>; // f16 bits
var<workgroup> weights: array<u32, MATRIX_ROWS * TILE>;
var<workgroup> staged: array<f32, STAGED_KEYS * HEAD_DIM>;

// By bits: Mesa takes an f16 that is unpacked right after it was packed for the number itself, and quantizeToF16 is loose.
fn rounded(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  return bitcast<f32>((bits + 0xfffu + ((bits >> 13u) & 1u)) & ~0x1fffu);
}
fn put_query(at: u32, x: f32) { queries[at] = pack2x16float(vec2<f32>(x, 0.0)); }
fn put_weight(at: u32, x: f32) { weights[at] = pack2x16float(vec2<f32>(x, 0.0)); }
fn query_of(at: u32) -> f32 { return unpack2x16float(queries[at]).x; }
fn weight_of(at: u32) -> f32 { return unpack2x16float(weights[at]).x; }

fn half_of(word: u32, at: u32) -> f32 {
  let pair = unpack2x16float(word);
  return select(pair.x, pair.y, at % 2u == 1u);
}

fn stage_keys(key: u32, count: u32, index: u32) {
  let whole = count / UNIT * UNIT;
  for (var at = index; at < UNIT * HEAD_DIM && whole < count; at += WG_SIZE) {
    let source = (key + whole) * HEAD_DIM + at;
    staged[at] = 0.0;
    if whole + at / HEAD_DIM < count { staged[at] = half_of(k_cache[source / 2u], source); }
  }
}

fn stage_word(key: u32, word: u32, bits: vec4<u32>) {
  for (var i = 0u; i < 8u; i++) { staged[(word * 8u + i) * STAGED_KEYS + key] = half_of(bits[i / 2u], i); }
}

// Four invocations of a subgroup share a block's products; any further ones repeat theirs.
fn multiply_keys(key: u32, block: u32, lane: u32) {
  for (var e = lane % 4u; e < MATRIX_ROWS * UNIT; e += 4u) {
    var sum = 0.0;
    for (var d = 0u; d < HEAD_DIM; d++) {
      let source = (key + block * UNIT + e % UNIT) * HEAD_DIM + d;
      sum += query_of(e / UNIT * HEAD_DIM + d) * half_of(k_cache[source / 2u], source);
    }
    products[e / UNIT * TILE + block * UNIT + e % UNIT] = sum;
  }
}

fn multiply_staged_keys(block: u32, lane: u32) {
  for (var e = lane % 4u; e < MATRIX_ROWS * UNIT; e += 4u) {
    var sum = 0.0;
    for (var d = 0u; d < HEAD_DIM; d++) { sum += query_of(e / UNIT * HEAD_DIM + d) * staged[e % UNIT * HEAD_DIM + d]; }
    products[e / UNIT * TILE + block * UNIT + e % UNIT] = sum;
  }
}

fn multiply_values(block: u32, lane: u32) {
  for (var e = lane % 4u; e < MATRIX_ROWS * UNIT; e += 4u) {
    var sum = 0.0;
    for (var t = 0u; t < TILE; t++) {
      let d = block * UNIT + e % UNIT;
      sum += weight_of(e / UNIT * TILE + t) * staged[d * STAGED_KEYS + t];
    }
    products[e / UNIT * HEAD_DIM + block * UNIT + e % UNIT] = sum;
  }
}
`;
