// subgroup_probe.wgsl: how a device deals a workgroup's invocations to teams, and whether a team hears what it should.
//
// Kernels on subgroups number their teams by lib subgroup, which is right only where every subgroup but the last is full.
// No device promises that: this one says what it does.
//
// in   nothing
// out  seen [groups, WG_SIZE] vec4 u32   of each invocation: team, number within it, subgroup size, exchanges gone wrong
// grid (groups, 1, 1); each workgroup is a try of its own
// consts WG_SIZE LANES QUAD (4)
// libs subgroup

@group(0) @binding(0) var<storage, read_write> seen: array<vec4<u32>>;

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, me: Invocation) {
  let first = team_of(me) * LANES;
  let lane = lane_of(me);
  let own = f32(first + lane);
  var wrong = 0u;
  for (var mask = 1u; mask < LANES; mask *= 2u) {
    wrong += differ(exchange(me, own, mask), first + (lane ^ mask));
  }
  if LANES >= 4u {
    for (var source = 0u; source < QUAD; source++) { // unroll
      wrong += differ(quad_value(me, own, source), first + lane / 4u * 4u + source);
    }
  }
  seen[id.x] = vec4<u32>(team_of(me), lane, size_of(me), wrong);
}

// 1 unless x is this number, to the bit: what comes from an invocation that is not there may be NaN.
fn differ(x: f32, expected: u32) -> u32 {
  return select(0u, 1u, bitcast<u32>(x) != bitcast<u32>(f32(expected)));
}
