// lib numbers: the finite stand-in for minus infinity, which WGSL implementations may assume never occurs.

const NEG_MAX = -0x1.fffffep+127f; // lowest finite f32
const LSE_EMPTY = -3.0e38f;        // log-sum-exp of a row with nothing to attend to; any LSE at or below it has weight 0

// Whether a score is that of a hidden key, NEG_MAX. By its bits, which a NaN cannot confuse: a score of NaN must show in its
// row, not pass for hidden.
fn is_hidden(score: f32) -> bool {
  return bitcast<u32>(score) == bitcast<u32>(NEG_MAX);
}

// Log-sum-exp of a partial state (natural logarithm).
fn lse_of(m: f32, l: f32) -> f32 {
  if l == 0.0 {
    return LSE_EMPTY;
  }
  return m + log(l);
}
