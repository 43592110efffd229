// lib numbers: finite stand-ins for minus infinity and NaN, which WGSL implementations may assume never occur, and what a
// row's sums come to.
//
// A score is a visible key's only from -SCORE_MAX to SCORE_MAX. Any other, infinite or NaN, is kept as BAD_SCORE: the greatest
// f32, so that it becomes the row's maximum and stays it, through every sum and merge, by finite arithmetic alone. A row with
// that maximum is written as NaN. Scores, maxima and bits are compared as what no compiler takes for impossible.

const NEG_MAX = -0x1.fffffep+127f;  // lowest finite f32: the score of a hidden key, the maximum before any key
const BAD_SCORE = 0x1.fffffep+127f; // greatest finite f32
const SCORE_MAX = 2.9e38f;          // below -LSE_EMPTY, so that no row with keys passes for one without
const LSE_EMPTY = -3.0e38f;         // log-sum-exp of a row with nothing to attend to; any LSE at or below it has weight 0
const NAN_BITS = 0x7fc00000u;

// A finished score as kernels keep it.
fn kept_score(score: f32, visible: bool) -> f32 {
  let good = (bitcast<u32>(score) & 0x7fffffffu) <= bitcast<u32>(SCORE_MAX);
  return select(NEG_MAX, select(BAD_SCORE, score, good), visible);
}

fn is_hidden(score: f32) -> bool {
  return score == NEG_MAX;
}

// Log-sum-exp of a partial state (natural logarithm): NaN where a score was bad.
fn lse_of(m: f32, l: f32) -> f32 {
  if l == 0.0 {
    return LSE_EMPTY;
  }
  return bitcast<f32>(select(bitcast<u32>(m + log(l)), NAN_BITS, m == BAD_SCORE));
}

// Four elements of the output of a partial state: 0 without a visible key, NaN where a score was bad.
fn output_of(sum: vec4<f32>, m: f32, l: f32) -> vec4<f32> {
  let o = select(sum / l, vec4<f32>(), l == 0.0);
  return bitcast<vec4<f32>>(select(bitcast<vec4<u32>>(o), vec4<u32>(NAN_BITS), m == BAD_SCORE));
}
