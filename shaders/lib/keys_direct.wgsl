// lib keys_direct: products of rows and keys for prefill on a CPU: each invocation reads keys that no other has, so that they need
// not be shared, and the queries of all rows lie in workgroup memory from the beginning.
//
// consts those of prefill

var<workgroup> queries: array<vec4<f32>, ROW_BLOCK * D4>; // [row][vec4]

fn prepare(work: Work, lane: u32) {
  for (var n = lane; n < ROW_BLOCK * D4; n += WG_SIZE) { // bounded
    queries[n] = scaled_query(work, n / D4, n % D4);
  }
  workgroupBarrier(); // queries are there
}

fn score(work: Work, first: u32, end: u32, lane: u32) {
  var keys = array<u32, KEYS>();
  for (var c = 0u; c < KEYS; c++) { // unroll
    keys[c] = kv_row(work.kv_head, min(first + tile_key(lane, c), end - 1u));
  }
  var products = Products();
  let vec4s = opaque_count(D4);
  for (var i = 0u; i < vec4s; i++) { // bounded
    var k = array<vec4<f32>, KEYS>();
    for (var c = 0u; c < KEYS; c++) { // unroll
      k[c] = k_vec4(keys[c], i);
    }
    for (var r = 0u; r < ROWS; r++) { // unroll
      let four = queries[block_row(lane, r) * D4 + i];
      for (var c = 0u; c < KEYS; c++) { // unroll
        products[r][c] += dot(four, k[c]);
      }
    }
  }
  workgroupBarrier(); // the weights before are used
  keep_products(lane, &products);
}
