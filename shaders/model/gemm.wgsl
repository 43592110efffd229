// gemm.wgsl: what product.wgsl computes, for passes of many rows: a tiled matrix-matrix product.
//
// A workgroup owns SPAN outputs of GROUP_ROWS rows. In steps of STEP vec4s of inputs its invocations put rows, as the norm wants them, and
// weights, unpacked, into workgroup memory: each word of weights is loaded and unpacked once for all rows of the workgroup. An invocation
// then has ROWS neighbouring rows by COLUMNS outputs of each matrix in registers.
//
// in   x       [rows, X4] f32 as vec4s, what is past a row's end zeros
//      weights tiles of [BLOCKS, MATRICES, TILE] words of 16 bytes   lib weights_*
//      numbers ProductNumbers, and step (lib rows_of_step)
// i/o  y       [rows, Y] f32                                          lib write_*
// grid (tiles * TILE / SPAN, rows / GROUP_ROWS rounded up, 1)
// consts X4 Y BLOCKS MATRICES TILE SPAN COLUMNS ROWS ROW_LANES COLUMN_LANES
// out  see i/o
// libs one of weights_*, one of inputs_* with sums_of_rows_shared, one of bias_*, one of results_* with one of act_*, one of write_*,
//      product_results, rows_of_step, model_step

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> numbers: ProductNumbers;

// Of the invocations side by side along the outputs each stages one vec4 of a row.
const STEP = COLUMN_LANES;
const WG_SIZE = COLUMN_LANES * ROW_LANES;
const GROUP_ROWS = ROW_LANES * ROWS;
const SUMS = MATRICES * COLUMNS * ROWS;
// One more than a step has: rows would all begin in one bank of the memory.
const ROW_STRIDE = STEP + 1u;

var<workgroup> staged_rows: array<vec4<f32>, GROUP_ROWS * ROW_STRIDE>;
// [STEP, MATRICES, SPAN]
var<workgroup> staged_weights: array<vec4<f32>, STEP * MATRICES * SPAN>;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = lane % COLUMN_LANES;
  let row = lane / COLUMN_LANES * ROWS;
  let first = group.y * GROUP_ROWS + row;
  // Invocations without a row of the pass read the last ones, and write nothing.
  let read = min(first, (pass_rows() - 1u) / ROWS * ROWS);
  let output = group.x * SPAN;
  prepare(read, lane);
  var sums = array<f32, SUMS>();
  for (var four = 0u; four < numbers.fours; four += STEP) { // bounded
    for (var r = 0u; r < ROWS; r++) { // unroll
      staged_rows[(row + r) * ROW_STRIDE + column] = input(read + r, four + column, r);
    }
    stage_weights(output, four / WORD_FOURS, lane);
    workgroupBarrier();
    for (var k = 0u; k < numbers.step; k++) { // bounded
      var fours = array<vec4<f32>, ROWS>();
      for (var r = 0u; r < ROWS; r++) { // unroll
        fours[r] = staged_rows[(row + r) * ROW_STRIDE + k];
      }
      for (var m = 0u; m < MATRICES; m++) { // unroll
        for (var c = 0u; c < COLUMNS; c++) { // unroll
          let weight = staged_weights[(k * MATRICES + m) * SPAN + c * COLUMN_LANES + column];
          for (var r = 0u; r < ROWS; r++) { // unroll
            sums[(m * COLUMNS + c) * ROWS + r] += dot(weight, fours[r]);
          }
        }
      }
    }
    workgroupBarrier();
  }
  settle(read, lane);
  for (var c = 0u; c < COLUMNS; c++) { // unroll
    for (var r = 0u; r < ROWS; r++) { // unroll
      let scale = input_scale(r);
      let second = sums[((MATRICES - 1u) * COLUMNS + c) * ROWS + r] * scale;
      finish(first + r, numbers.first + output + c * COLUMN_LANES + column, sums[c * ROWS + r] * scale, second);
    }
  }
}

// The words of a step, from a block on, dealt out to the workgroup: neighbours read neighbouring words.
fn stage_weights(output: u32, block: u32, lane: u32) {
  let words = numbers.step / WORD_FOURS * MATRICES * SPAN;
  for (var w = lane; w < words; w += WG_SIZE) { // bounded
    let of_block = w / SPAN;
    let tile = (output / TILE * BLOCKS + block) * MATRICES + of_block;
    let word = word_at(tile, output % TILE + w % SPAN);
    let at = (of_block / MATRICES * WORD_FOURS * MATRICES + of_block % MATRICES) * SPAN + w % SPAN;
    for (var i = 0u; i < WORD_FOURS; i++) { // unroll
      staged_weights[at + i * MATRICES * SPAN] = unpacked(word, i);
    }
  }
}
