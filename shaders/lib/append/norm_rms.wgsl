// lib norm_rms: divides a row by the root of the mean of its squares, and multiplies it by weights. A row with NaN or infinity
// becomes NaN.
//
// consts HEAD_DIM WG_SIZE NORM_VEC4S (two rows)

@group(0) @binding(8) var<uniform> norms: Norms;

struct Norms {
  eps: f32, // added to the mean
  weights: array<vec4<f32>, NORM_VEC4S>, // K's, then those of q
}

var<workgroup> row_largest: array<u32, WG_SIZE>; // magnitudes' bits
var<workgroup> row_squares: array<vec2<f32>, WG_SIZE>;

// Squares of larger elements leave f32: those of such a row are taken of a fraction of it, and eps is nothing to them.
const PLAIN_MAX = 0x1p+58f;
const FRACTION = 0x1p-70f;

fn normalised(bits: vec4<u32>, which: u32, i: u32, lane: u32) -> vec4<u32> {
  let magnitude = bits & vec4<u32>(0x7fffffffu);
  let high = max(magnitude.xy, magnitude.zw);
  row_largest[lane] = max(high.x, high.y);
  let x = bitcast<vec4<f32>>(select(vec4<u32>(), bits, magnitude < vec4<u32>(INFINITY_BITS)));
  let plain = clamp(x, vec4<f32>(-PLAIN_MAX), vec4<f32>(PLAIN_MAX));
  let fraction = x * FRACTION;
  row_squares[lane] = vec2<f32>(dot(plain, plain), dot(fraction, fraction));
  workgroupBarrier(); // largest magnitudes and squares of all vec4s are there
  let first = lane - i;
  var most = 0u;
  var squares = vec2<f32>();
  let count = HEAD_DIM / 4u + (step.capacity >> 31u); // unknown to the compiler, which would load all at once, and spill
  for (var v = 0u; v < count; v++) {
    most = max(most, row_largest[first + v]);
    squares += row_squares[first + v];
  }
  let large = most > bitcast<u32>(PLAIN_MAX);
  let means = squares / f32(HEAD_DIM);
  let root = inverseSqrt(select(means.x + norms.eps, means.y, large));
  let weight = norms.weights[which * (HEAD_DIM / 4u) + min(i, HEAD_DIM / 4u - 1u)];
  let y = select(x, fraction, large) * root * weight;
  return select(bitcast<vec4<u32>>(y), vec4<u32>(NAN_BITS), most >= INFINITY_BITS);
}
