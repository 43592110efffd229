// product.wgsl: rows times a matrix of weights, with the norm in front of it and what becomes of the sums behind it.
//
// Weights lie in tiles of TILE outputs: neighbouring invocations read neighbouring words, and each has COLUMNS outputs of its own. Where
// there are several slices, each takes every SLICES-th block of inputs.
//
// in   x       [rows, X4] f32 as vec4s, what is past a row's end zeros
//      weights tiles of [BLOCKS, MATRICES, TILE] words of 16 bytes   lib weights_*
//      numbers ProductNumbers, and step where the lib rows_of_step is linked
// i/o  y       [rows, Y] f32                                          lib write_*
// grid (tiles, rows / ROWS rounded up, 1); a workgroup owns TILE outputs of ROWS rows
// consts X4 Y BLOCKS MATRICES TILE COLUMNS SLICES ROWS COUNTED (a norm counts elements as they are taken), WORDS (MATRICES * COLUMNS), SUMS (ROWS * WORDS)
// out  see i/o
// libs one of weights_*, one of inputs_*, one of reads_*, one of sums_four and sums_one, one of slices_*, one of bias_*, one of results_* with one of act_*, one of write_*,
//      one of rows_of_step with model_step and rows_fixed, product_results

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> numbers: ProductNumbers;

const LANES = TILE / COLUMNS;
const WG_SIZE = LANES * SLICES;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  me: Invocation,
) {
  let lane = me.lane;
  let share = share_number(me);
  let first = group.y * ROWS;
  let output = lane % LANES;
  prepare(first, share);
  var sums = array<Sum, SUMS>();
  for (var block = slice_of(lane); block < numbers.blocks; block += SLICES) { // bounded
    let tile = (group.x * BLOCKS + block) * MATRICES;
    take(first, block, share);
    var words = array<Word, WORDS>();
    for (var m = 0u; m < MATRICES; m++) { // unroll
      for (var c = 0u; c < COLUMNS; c++) { // unroll
        words[m * COLUMNS + c] = word_at(tile + m, c * LANES + output);
      }
    }
    for (var i = 0u; i < WORD_FOURS; i++) { // unroll
      for (var r = 0u; r < ROWS; r++) { // unroll
        let four = taken(first + r, block, i, r);
        for (var w = 0u; w < WORDS; w++) { // unroll
          sums[w * ROWS + r] = added(sums[w * ROWS + r], unpacked(words[w], i), four);
        }
      }
    }
  }
  settle(first, share);
  conclude(first, numbers.first + group.x * TILE + output, lane, &sums);
}
