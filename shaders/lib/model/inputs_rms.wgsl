// lib inputs_rms: rows normalised by the root of their mean square, times gains.
// gains: [X4] f32 as vec4s. Every workgroup takes the norm itself: that costs less than a dispatch more.
// consts COUNTED
// libs one of sums_of_rows_*

@group(0) @binding(5) var<storage, read> gains: array<vec4<f32>>;

var<private> norm_scales: array<f32, ROWS>;
// Squares of the elements that the invocation has taken, where they are COUNTED: each invocation takes others.
var<private> norm_squares: array<f32, ROWS>;

fn prepare(first: u32, lane: u32) {
}

// Behind the sums, which need no more than gains: their registers are free by then.
fn settle(first: u32, lane: u32) {
  let share = share_of_row(lane);
  for (var r = 0u; r < ROWS; r++) { // unroll
    var sum = norm_squares[r];
    if !COUNTED {
      for (var i = share.x; i < numbers.fours; i += share.y) { // bounded
        let four = x[(first + r) * X4 + i];
        sum += dot(four, four);
      }
    }
    keep_sum(r, lane, sum);
  }
  join_sums(lane);
  for (var r = 0u; r < ROWS; r++) { // unroll
    norm_scales[r] = inverseSqrt(sum_of_row(r) / f32(numbers.width) + numbers.eps);
  }
}

fn input(row: u32, i: u32, r: u32) -> vec4<f32> {
  return x[row * X4 + i] * gains[i];
}

// Of element 4i + c.
fn input_of(element: f32, i: u32, c: u32, r: u32) -> f32 {
  return element * gains[i][c];
}

fn count_element(r: u32, element: f32) {
  norm_squares[r] += element * element;
}

fn input_scale(r: u32) -> f32 {
  return norm_scales[r];
}
