// lib subgroup_sized: what products ask of subgroups of SUBGROUP invocations, 4 or 8, all of them active.
// consts SUBGROUP

struct Invocation {
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) place: u32,
}

// WGSL wants a constant where a value comes from; this one is known once loops are written out.
fn broadcast(value: f32, place: u32) -> f32 {
  switch place {
    case 0u: { return subgroupBroadcast(value, 0u); }
    case 1u: { return subgroupBroadcast(value, 1u); }
    case 2u: { return subgroupBroadcast(value, 2u); }
    case 3u: { return subgroupBroadcast(value, 3u); }
    case 4u: { return subgroupBroadcast(value, 4u); }
    case 5u: { return subgroupBroadcast(value, 5u); }
    case 6u: { return subgroupBroadcast(value, 6u); }
    default: { return subgroupBroadcast(value, 7u); }
  }
}

fn sum_of_subgroup(value: f32) -> f32 {
  return subgroupAdd(value);
}
