// lib subgroup: what kernels ask of their subgroups. Any subgroup size, as long as a team of LANES invocations lies within
// one subgroup, and every subgroup but the last is full: subgroup_probe shows whether that is so.
//
// consts LANES

struct Invocation {
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_size) subgroup_size: u32,
  @builtin(subgroup_invocation_id) lane: u32, // within the subgroup
}

// Number of this invocation's team within the workgroup. A workgroup smaller than a subgroup has one, not full subgroup.
fn team_of(me: Invocation) -> u32 {
  return me.subgroup * (me.subgroup_size / LANES) + me.lane / LANES;
}

// Number of this invocation within its team.
fn lane_of(me: Invocation) -> u32 {
  return me.lane % LANES;
}

fn size_of(me: Invocation) -> u32 {
  return me.subgroup_size;
}

// The same invocation, by numbers that are another's unless `zero` is 0.
fn invocation_plus(me: Invocation, zero: u32) -> Invocation {
  return Invocation(me.subgroup ^ zero, me.subgroup_size, me.lane ^ zero);
}

// x of the invocation whose number within the team differs from this one's in the bits of `mask`.
fn exchange(me: Invocation, x: f32, mask: u32) -> f32 {
  if mask == 1u {
    return quadSwapX(x);
  }
  if mask == 2u {
    return quadSwapY(x);
  }
  return subgroupShuffleXor(x, mask);
}

// x of invocation `source` of the quad: four of a team whose first has a number that is a multiple of 4.
fn quad_value(me: Invocation, x: f32, source: u32) -> f32 {
  if source == 0u {
    return quadBroadcast(x, 0u);
  }
  if source == 1u {
    return quadBroadcast(x, 1u);
  }
  if source == 2u {
    return quadBroadcast(x, 2u);
  }
  return quadBroadcast(x, 3u);
}

// The same of an index.
fn quad_index(me: Invocation, x: u32, source: u32) -> u32 {
  if source == 0u {
    return quadBroadcast(x, 0u);
  }
  if source == 1u {
    return quadBroadcast(x, 1u);
  }
  if source == 2u {
    return quadBroadcast(x, 2u);
  }
  return quadBroadcast(x, 3u);
}
