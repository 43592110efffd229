// lib softmax_row_shared: a workgroup owns a row, each of its invocations every WG_SIZE-th vec4.

const ROW_LANES = WG_SIZE;

var<workgroup> joined: array<vec3<f32>, WG_SIZE>;

fn row_of(workgroup: u32, invocation: u32) -> u32 {
  return workgroup;
}

fn row_lane(invocation: u32) -> u32 {
  return invocation;
}

// A width that is no constant: compilers would write the loops out, and take seconds over their barriers.
fn half_of_row() -> u32 {
  return min(WG_SIZE / 2u, numbers.vocab * WG_SIZE);
}

fn joined_max(lane: u32, mine: vec2<f32>) -> vec2<f32> {
  joined[lane] = vec3<f32>(mine, 0.0);
  workgroupBarrier();
  for (var half = half_of_row(); half > 0u; half /= 2u) {
    if lane < half {
      joined[lane] = max(joined[lane], joined[lane + half]);
    }
    workgroupBarrier();
  }
  let result = joined[0].xy;
  workgroupBarrier(); // before sums take the place of maxima
  return result;
}

fn joined_sum(lane: u32, mine: vec3<f32>) -> vec3<f32> {
  joined[lane] = mine;
  workgroupBarrier();
  for (var half = half_of_row(); half > 0u; half /= 2u) {
    if lane < half {
      joined[lane] += joined[lane + half];
    }
    workgroupBarrier();
  }
  return joined[0];
}
