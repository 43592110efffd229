// lib norm_rms: divides a row by the root of the mean of its squares, and multiplies it by weights. A row with NaN or infinity
// becomes NaN.
//
// consts HEAD_DIM WG_SIZE NORM_VEC4S (two rows)

@group(0) @binding(8) var<uniform> norms: Norms;

struct Norms {
  eps: f32, // added to the mean
  weights: array<vec4<f32>, NORM_VEC4S>, // K's, then those of q
}

// Squares of each vec4, and of a fraction of it; then those of eight vec4s.
var<workgroup> vec4_squares: array<vec2<f32>, WG_SIZE>;
var<workgroup> eight_squares: array<vec2<f32>, WG_SIZE>;

// Squares of larger elements leave f32: those of such a row are taken of a fraction of it, and eps is nothing to them.
const PLAIN_MAX = 0x1p+50f;
const FRACTION = 0x1p-70f;
// What a row that has NaN or infinity has for its squares: less than 0, whatever else there is, for each vec4 that has them.
const NOT_FINITE = -0x1p+115f;

struct Norm {
  root: f32,    // what an element is multiplied by, or its fraction
  large: bool,  // whether fractions are
  finite: bool, // whether all of the row is
}

fn row_norm(bits: vec4<u32>, i: u32, lane: u32) -> Norm {
  let finite = (bits & vec4<u32>(0x7fffffffu)) < vec4<u32>(INFINITY_BITS);
  let x = bitcast<vec4<f32>>(select(vec4<u32>(), bits, finite));
  let plain = clamp(x, vec4<f32>(-PLAIN_MAX), vec4<f32>(PLAIN_MAX));
  let fraction = x * FRACTION;
  vec4_squares[lane] = vec2<f32>(select(NOT_FINITE, dot(plain, plain), all(finite)), dot(fraction, fraction));
  workgroupBarrier(); // squares of all vec4s are there
  let squares = row_sum(i, lane);
  let large = squares.y > PLAIN_MAX * FRACTION * PLAIN_MAX * FRACTION;
  let means = squares / f32(HEAD_DIM);
  return Norm(inverseSqrt(select(abs(means.x) + norms.eps, means.y, large)), large, squares.x >= 0.0);
}

fn normalised(bits: vec4<u32>, norm: Norm, which: u32, i: u32) -> vec4<u32> {
  let x = bitcast<vec4<f32>>(select(vec4<u32>(), bits, norm.finite));
  let weight = norms.weights[which * (HEAD_DIM / 4u) + min(i, HEAD_DIM / 4u - 1u)];
  let y = select(x, x * FRACTION, norm.large) * norm.root * weight;
  return select(vec4<u32>(NAN_BITS), bitcast<vec4<u32>>(y), norm.finite);
}

// The sum of a row's squares: of eight vec4s by their invocations, then of all eights.
fn row_sum(i: u32, lane: u32) -> vec2<f32> {
  let begin = i - i % 8u;
  let vec4s = min(8u, max(HEAD_DIM / 4u, begin) - begin); // none past the row's end
  var eight = vec2<f32>();
  for (var v = 0u; v < vec4s; v++) { // bounded
    eight += vec4_squares[lane - i + begin + v];
  }
  eight_squares[lane] = eight;
  workgroupBarrier(); // squares of all eights are there
  var sum = vec2<f32>();
  for (var v = 0u; v < HEAD_DIM / 4u; v += 8u) { // bounded
    sum += eight_squares[lane - i + v];
  }
  return sum;
}
