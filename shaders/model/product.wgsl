// product.wgsl: rows times a matrix of weights, with the norm in front of it and what becomes of the sums behind it.
//
// Weights lie in tiles of TILE outputs: neighbouring invocations read neighbouring words, and each has outputs of its own. Where there are
// several slices, each takes every SLICES-th block of inputs, and their sums are joined through workgroup memory.
//
// in   x       [rows, X4] f32 as vec4s, what is past a row's end zeros
//      weights tiles of [BLOCKS, MATRICES, TILE] words of 16 bytes   lib weights_*
//      step    ModelStep
//      numbers ProductNumbers
// i/o  y       [rows, Y] f32                                          lib write_*
// grid (tiles, rows / ROWS rounded up, 1); a workgroup owns TILE outputs of ROWS rows
// consts X4 Y BLOCKS MATRICES TILE SLICES ROWS SUMS (ROWS * MATRICES)
// out  see i/o
// libs one of weights_*, one of inputs_*, one of sums_*, one of bias_*, one of results_* with one of act_*, one of write_*, model_step

struct ProductNumbers {
  first: u32,   // output that the first tile begins with
  width: u32,   // elements of a row that a norm counts
  eps: f32,
  scale: f32,   // of the outputs
  softcap: f32, // lib results_capped
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> step: ModelStep;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> numbers: ProductNumbers;

const WG_SIZE = TILE * SLICES;

var<workgroup> partials: array<f32, WG_SIZE * SUMS>;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = group.y * ROWS;
  let output = lane % TILE;
  let slice = lane / TILE;
  prepare(first, lane);
  var sums = array<Sum, SUMS>();
  for (var block = slice; block < BLOCKS; block += SLICES) {
    let at = ((group.x * BLOCKS + block) * MATRICES) * TILE + output;
    var words = array<Word, MATRICES>();
    for (var m = 0u; m < MATRICES; m++) { // unroll
      words[m] = word_at(at + m * TILE, (group.x * BLOCKS + block) * MATRICES + m, output);
    }
    for (var i = 0u; i < WORD_FOURS; i++) { // unroll
      for (var r = 0u; r < ROWS; r++) { // unroll
        let four = input(first + r, block * WORD_FOURS + i, r);
        for (var m = 0u; m < MATRICES; m++) { // unroll
          sums[m * ROWS + r] = added(sums[m * ROWS + r], unpacked(words[m], i), four);
        }
      }
    }
  }
  let column = numbers.first + group.x * TILE + output;
  if SLICES == 1u {
    for (var r = 0u; r < ROWS; r++) { // unroll
      finish(first + r, column, r, total(sums[r]), total(sums[SUMS - ROWS + r]));
    }
    return;
  }
  for (var s = 0u; s < SUMS; s++) { // unroll
    partials[s * WG_SIZE + lane] = total(sums[s]);
  }
  workgroupBarrier();
  for (var r = slice; r < ROWS; r += SLICES) {
    var sum = 0.0;
    var second = 0.0;
    for (var s = 0u; s < SLICES; s++) {
      sum += partials[r * WG_SIZE + s * TILE + output];
      second += partials[(SUMS - ROWS + r) * WG_SIZE + s * TILE + output];
    }
    finish(first + r, column, r, sum, second);
  }
}

// An output: of one matrix, or of the gate's and the other's.
fn finish(row: u32, column: u32, r: u32, sum: f32, second: f32) {
  if row >= step.rows {
    return;
  }
  let scale = input_scale(r) * numbers.scale;
  write(row, column, activated(with_bias(sum * scale, column, 0u), with_bias(second * scale, column, 1u)));
}
