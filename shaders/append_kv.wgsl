// append_kv.wgsl: writes new K and V rows behind the ones a cache holds, in the cache's element types.
//
// A workgroup owns two neighbouring slots of a head, of which one or both are new: int8 rows keep their scales two to a
// u32, and so nobody else writes to that.
//
// in   k, v    [B, Hkv, N, D/4] vec4 f32   N = num_tokens new tokens for each sequence
//      step    AppendStep
// i/o  k_cache, v_cache [B, Hkv, capacity, D] u32, then the scales   lib store_* as k_*, v_*
// grid (N / 2 + 1, Hkv, B); an invocation owns four elements of one slot's K row and V row
// consts HEAD_DIM WG_SIZE (two rows of invocations)
// out  see i/o
// libs store_* as k_* and as v_*

struct AppendStep {
  num_tokens: u32,
  capacity: u32,
  k_scales: u32, // index of the first u32 of k_cache with scales, where there are any
  v_scales: u32,
  kv_lens: array<u32>, // [B] tokens already in the cache
}

@group(0) @binding(0) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> step: AppendStep;
@group(0) @binding(3) var<storage, read_write> k_cache: array<u32>;
@group(0) @binding(4) var<storage, read_write> v_cache: array<u32>;

const D4 = HEAD_DIM / 4u;

const_assert WG_SIZE == 2u * D4;

// Where an invocation's four elements go.
struct Slot {
  row: u32,       // of all rows of the cache
  scale_row: u32, // the same, with every head beginning at an even number
  i: u32,         // which vec4 of the row
  lane: u32,      // number in the workgroup: i, or D4 + i in the odd slot
  fresh: bool,    // whether the slot is new; others stay as they are
}

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let held = step.kv_lens[group.z];
  let pair = (held / 2u + group.x) * 2u;
  if pair >= min(held + step.num_tokens, step.capacity) {
    return; // neither is new, and their scales may be those of the next head's first slots
  }
  let number = pair + lane / D4;
  let token = number - held; // wraps where the slot is an old one
  let fresh = number >= held && token < step.num_tokens && number < step.capacity;
  let head = group.z * groups.y + group.y;
  let slot = Slot(
    head * step.capacity + number,
    head * ((step.capacity + 1u) & ~1u) + number,
    lane % D4,
    lane,
    fresh,
  );
  let source = (head * step.num_tokens + select(0u, token, fresh)) * D4 + slot.i;
  k_store(slot, step.k_scales, k[source]);
  v_store(slot, step.v_scales, v[source]);
}
