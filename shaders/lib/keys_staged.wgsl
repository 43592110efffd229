// lib keys_staged: products of rows and keys for prefill on a GPU: SLICE vec4s of all of them at a time lie in workgroup memory,
// where invocations share them.
//
// consts SLICE and those of prefill

const STRIDE = SLICE | 1u; // odd, so that neighbours meet different banks

var<workgroup> q_slice: array<vec4<f32>, ROW_BLOCK * STRIDE>;
var<workgroup> k_slice: array<vec4<f32>, TILE * STRIDE>;

fn prepare(work: Work, lane: u32) {
}

fn score(work: Work, first: u32, end: u32, lane: u32) {
  var products = Products();
  for (var begin = 0u; begin < D4; begin += SLICE) { // bounded
    workgroupBarrier(); // the slices before are used
    stage(work, first, end, begin, lane);
    workgroupBarrier(); // the slices are there
    let slice = opaque_count(SLICE);
    for (var i = 0u; i < slice; i++) { // bounded
      var k = array<vec4<f32>, KEYS>();
      for (var c = 0u; c < KEYS; c++) { // unroll
        k[c] = k_slice[tile_key(lane, c) * STRIDE + i];
      }
      for (var r = 0u; r < ROWS; r++) { // unroll
        let four = q_slice[block_row(lane, r) * STRIDE + i];
        for (var c = 0u; c < KEYS; c++) { // unroll
          products[r][c] += dot(four, k[c]);
        }
      }
    }
  }
  keep_products(lane, &products);
}

// Past a row's end both are 0.
fn stage(work: Work, first: u32, end: u32, begin: u32, lane: u32) {
  for (var n = lane; n < ROW_BLOCK * SLICE; n += WG_SIZE) { // bounded
    let i = begin + n % SLICE;
    let four = scaled_query(work, n / SLICE, min(i, D4 - 1u));
    q_slice[n / SLICE * STRIDE + n % SLICE] = select(vec4<f32>(), four, i < D4);
  }
  for (var n = lane; n < TILE * SLICE; n += WG_SIZE) { // bounded
    let i = begin + n % SLICE;
    let four = k_vec4(kv_row(work.kv_head, min(first + n / SLICE, end - 1u)), min(i, D4 - 1u));
    k_slice[n / SLICE * STRIDE + n % SLICE] = select(vec4<f32>(), four, i < D4);
  }
}
