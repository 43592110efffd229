// lib inputs_layer: rows less their mean, normalised by their deviation, times gains; what a norm adds is in the product's bias.
// gains: [X4] f32 as vec4s.
// libs one of sums_of_rows_*

@group(0) @binding(5) var<storage, read> gains: array<vec4<f32>>;

var<private> norm_scales: array<f32, ROWS>;
var<private> norm_means: array<f32, ROWS>;

fn prepare(first: u32, lane: u32) {
  let width = f32(numbers.width);
  let share = share_of_row(lane);
  for (var r = 0u; r < ROWS; r++) { // unroll
    var sum = 0.0;
    for (var i = share.x; i < numbers.fours; i += share.y) { // bounded
      sum += dot(x[(first + r) * X4 + i], vec4<f32>(1.0));
    }
    keep_sum(r, lane, sum);
  }
  join_sums(lane);
  for (var r = 0u; r < ROWS; r++) { // unroll
    norm_means[r] = sum_of_row(r) / width;
  }
  release_sums();
  for (var r = 0u; r < ROWS; r++) { // unroll
    var sum = 0.0;
    for (var i = share.x; i < numbers.fours; i += share.y) { // bounded
      // What is past the row's end is no part of it.
      let there = vec4<u32>(4u * i) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(numbers.width);
      let four = select(vec4<f32>(), x[(first + r) * X4 + i] - norm_means[r], there);
      sum += dot(four, four);
    }
    keep_sum(r, lane, sum);
  }
  join_sums(lane);
  for (var r = 0u; r < ROWS; r++) { // unroll
    norm_scales[r] = inverseSqrt(sum_of_row(r) / width + numbers.eps);
  }
}

fn settle(first: u32, lane: u32) {
}

fn input(row: u32, i: u32, r: u32) -> vec4<f32> {
  return (x[row * X4 + i] - norm_means[r]) * gains[i];
}

// Of element 4i + c.
fn input_of(element: f32, i: u32, c: u32, r: u32) -> f32 {
  return (element - norm_means[r]) * gains[i][c];
}

fn count_element(r: u32, element: f32) {
}

fn input_scale(r: u32) -> f32 {
  return norm_scales[r];
}
