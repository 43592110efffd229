// read_stream.wgsl: reads a buffer once, as fast as the device can: the read ceiling that attention is held against.
//
// Each workgroup reads one contiguous piece, an invocation LOADS vectors of it at a time, all asked for before one is used;
// every word enters a sum, so that no load can be left out.
//
// in   source [NUM_VECTORS] vec4<u32>
// out  sums   [groups, WG_SIZE] u32   sum modulo 2^32 of what each invocation read
// grid (groups, 1, 1)
// consts NUM_VECTORS WG_SIZE LOADS

@group(0) @binding(0) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let piece = (NUM_VECTORS + groups.x - 1u) / groups.x;
  let begin = min(group.x * piece, NUM_VECTORS);
  let end = min(begin + piece, NUM_VECTORS);
  var sum = vec4<u32>();
  var at = begin + lane;
  for (; at + (LOADS - 1u) * WG_SIZE < end; at += LOADS * WG_SIZE) {
    var loaded = array<vec4<u32>, LOADS>();
    for (var i = 0u; i < LOADS; i++) { // unroll
      loaded[i] = source[at + i * WG_SIZE];
    }
    for (var i = 0u; i < LOADS; i++) { // unroll
      sum += loaded[i];
    }
  }
  for (; at < end; at += WG_SIZE) {
    sum += source[at];
  }
  sums[group.x * WG_SIZE + lane] = sum.x + sum.y + sum.z + sum.w;
}
