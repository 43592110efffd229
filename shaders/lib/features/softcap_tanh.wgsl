// lib softcap_tanh: scores are capped: SOFTCAP * tanh(score / SOFTCAP).
//
// WGSL's tanh may be off by 1e-5, and is NaN on some GPUs where exp overflows; this one is right to three last places.
// consts SOFTCAP, an f32

const CAP_SMALL = 0.625f; // below it, 1 - 2 / (exp(2 x) + 1) would cancel
const CAP_LARGE = 15.0f;  // from it on tanh is 1

fn capped(score: f32) -> f32 {
  let x = clamp(score, -CAP_LARGE * SOFTCAP, CAP_LARGE * SOFTCAP) / SOFTCAP;
  let size = abs(x);
  let square = size * size;
  // tanh(x) / x - 1, divided by the square of x, by least squares.
  let rest = (((-0.0061049610f * square + 0.0210036524f) * square - 0.0538525023f) * square + 0.1333278269f) * square -
    0.3333332837f;
  let low = x + x * square * rest;
  let high = sign(x) * (1.0 - 2.0 / (exp(2.0 * size) + 1.0));
  return SOFTCAP * select(high, low, size < CAP_SMALL);
}
