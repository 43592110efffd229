// matmul.wgsl: a plain product of two matrices: what prefill is held against on a device.
//
// An invocation has ROWS rows by COLUMNS vec4s of the product, and reads what it needs of both factors as it goes: nothing is staged, which
// is what serves a CPU best. The vec4s of a workgroup's neighbours lie side by side.
//
// in   a [M, K] f32 as vec4s of K
//      b [K, N] f32 as vec4s of N
// out  c [M, N] f32 as vec4s of N
// grid (N / 4 / (WG_SIZE * COLUMNS), M / ROWS, 1), both without a rest
// consts K4 N4 WG_SIZE ROWS COLUMNS FOUR

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> c: array<vec4<f32>>;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = group.x * COLUMNS * WG_SIZE + lane;
  let row = group.y * ROWS;
  var sums = array<array<vec4<f32>, COLUMNS>, ROWS>();
  for (var k = 0u; k < K4; k++) {
    var fours = array<vec4<f32>, ROWS>();
    for (var r = 0u; r < ROWS; r++) { // unroll
      fours[r] = a[(row + r) * K4 + k];
    }
    for (var i = 0u; i < FOUR; i++) { // unroll
      for (var n = 0u; n < COLUMNS; n++) { // unroll
        let values = b[(k * 4u + i) * N4 + column + n * WG_SIZE];
        for (var r = 0u; r < ROWS; r++) { // unroll
          sums[r][n] += fours[r][i] * values;
        }
      }
    }
  }
  for (var r = 0u; r < ROWS; r++) { // unroll
    for (var n = 0u; n < COLUMNS; n++) { // unroll
      c[(row + r) * N4 + column + n * WG_SIZE] = sums[r][n];
    }
  }
}
