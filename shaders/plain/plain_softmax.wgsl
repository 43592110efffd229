// plain_softmax.wgsl: step 2 of plain attention: each row of scores becomes weights that sum to 1, in place.
//
// in   step   Step                          lib step
// i/o  scores [B, Lq, Hq, capacity] f32     scores in, weights out
// out  the lse of each row                 lib lse_*
// grid (Hq, Lq, B), Lq the most query positions of a sequence; a workgroup owns a row, an invocation every WG_SIZE-th score of it
// consts GROUP_SIZE CAUSAL MASKED WG_SIZE
// libs step numbers, one of heads_*, one of lse_*, one of sinks_*

@group(0) @binding(0) var<storage, read> step: Step;
@group(0) @binding(1) var<storage, read_write> scores: array<f32>;

const_assert 0u == (WG_SIZE & (WG_SIZE - 1u)); // the reductions halve it down to one

var<workgroup> partial: array<f32, WG_SIZE>;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let sequence = sequence_of(group.z);
  if group.y >= sequence.q_len || !is_here((group.z * groups.x + group.x) / GROUP_SIZE) {
    return;
  }
  let kv_len = sequence.kv_len;
  let row = (group.z * groups.y + group.y) * groups.x + group.x; // of all query rows [B, Lq, Hq]

  var highest = NEG_MAX;
  for (var t = lane; t < kv_len; t += WG_SIZE) { // bounded
    highest = max(highest, scores[row * step.capacity + t]);
  }
  let m = row_max(highest, lane);

  var sum = 0.0;
  for (var t = lane; t < kv_len; t += WG_SIZE) { // bounded
    let score = scores[row * step.capacity + t];
    let weight = select(exp(score - m), 0.0, is_hidden(score));
    scores[row * step.capacity + t] = weight;
    sum += weight;
  }
  let sunk = with_sink(m, row_sum(sum, lane), group.x);

  for (var t = lane; t < kv_len; t += WG_SIZE) { // bounded
    let weight = scores[row * step.capacity + t] * sunk.z;
    scores[row * step.capacity + t] = output_of(vec4<f32>(weight), sunk.x, sunk.y).x;
  }
  if lane == 0u {
    write_lse(lse_place(sequence.lse_start, group.x, group.y), lse_of(sunk.x, sunk.y));
  }
}

// The maximum of x over the workgroup, given to every invocation.
fn row_max(x: f32, lane: u32) -> f32 {
  partial[lane] = x;
  workgroupBarrier();
  for (var half = WG_SIZE / 2u; half > 0u; half /= 2u) {
    if lane < half {
      partial[lane] = max(partial[lane], partial[lane + half]);
    }
    workgroupBarrier();
  }
  let result = partial[0];
  workgroupBarrier(); // all have read it before `partial` is used again
  return result;
}

// The sum of x over the workgroup, given to every invocation.
fn row_sum(x: f32, lane: u32) -> f32 {
  partial[lane] = x;
  workgroupBarrier();
  for (var half = WG_SIZE / 2u; half > 0u; half /= 2u) {
    if lane < half {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  let result = partial[0];
  workgroupBarrier();
  return result;
}
