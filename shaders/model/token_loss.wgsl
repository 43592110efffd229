// token_loss.wgsl: the negative log-likelihood of each row's wanted token, natural logarithm.
//
// in   logits  [rows, LOGITS] f32
//      targets [rows] u32; a number beyond the vocabulary for none
// out  losses  [rows] f32; 0 where there is none, NaN where a logit is not finite
// grid (rows, 1, 1); a workgroup owns a row
// consts VOCAB LOGITS (from a row to the next) WG_SIZE
// libs numbers

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;

var<workgroup> maxima: array<f32, WG_SIZE>;
var<workgroup> sums: array<f32, WG_SIZE>;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = group.x * LOGITS;
  var most = NEG_MAX;
  for (var i = lane; i < VOCAB; i += WG_SIZE) { // bounded
    most = max(most, kept_score(logits[first + i], true));
  }
  maxima[lane] = most;
  workgroupBarrier();
  for (var half = WG_SIZE / 2u; half > 0u; half /= 2u) {
    if lane < half {
      maxima[lane] = max(maxima[lane], maxima[lane + half]);
    }
    workgroupBarrier();
  }
  var sum = 0.0;
  for (var i = lane; i < VOCAB; i += WG_SIZE) { // bounded
    sum += exp(logits[first + i] - maxima[0]);
  }
  sums[lane] = sum;
  workgroupBarrier();
  for (var half = WG_SIZE / 2u; half > 0u; half /= 2u) {
    if lane < half {
      sums[lane] += sums[lane + half];
    }
    workgroupBarrier();
  }
  if lane == 0u {
    let wanted = targets[group.x];
    let logit = logits[first + min(wanted, VOCAB - 1u)];
    let loss = maxima[0] - logit + log(sums[0]);
    let kept = select(bitcast<u32>(loss), NAN_BITS, maxima[0] == BAD_SCORE);
    losses[group.x] = bitcast<f32>(select(0u, kept, wanted < VOCAB));
  }
}
