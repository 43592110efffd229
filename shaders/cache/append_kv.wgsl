// append_kv.wgsl: writes new K and V rows behind the ones a cache holds, in the cache's element types; K's may be normalised
// and turned by their position first (QK-norm, RoPE), and queries with them.
//
// A workgroup owns two neighbouring slots of a head, of which one or both are new: int8 rows keep their scales two to a
// u32, and so nobody else writes to that.
//
// Everything is integer arithmetic on the bits of f32: WGSL may assume that there is no NaN and no infinity, may flush
// subnormal numbers and leaves rounding to f16 to the driver. So what is stored is the same on every device; but for rows that are turned, whose last
// bits are the device's.
//
// in   k       rows of D                        lib source_* as k_*, where step says
//      v       rows of Dv                       lib source_* as v_*
//      step    AppendStep
// i/o  k_cache [B, Hkv, capacity, D] u32, then the scales    lib store_* as k_*
//      v_cache [B, Hkv, capacity, Dv] u32, then the scales   lib store_* as v_*
//      status  [7] u32   appends executed; then elements of K that were lost, as in Lost; then those of V
// grid (M / 2 + 1, Hkv, B), M the most tokens that a sequence takes; an invocation owns four elements of one slot's K row and V
//      row, as far as each reaches. With queries there are more in y: lib queries_turned
// consts HEAD_DIM V_DIM WG_SIZE (two rows of invocations, as many as the longer one takes)
// out  see i/o
// libs source_* and store_* as k_* and as v_*, halves, steps, one of rows_*; of lib/append one of norm_*, one of rope_*, one of queries_*

struct AppendStep {
  capacity: u32,
  k_scales: u32, // index of the first u32 of k_cache with scales, where there are any
  v_scales: u32,
  batch: u32,
  num_kv_heads: u32,
  // By vec4s, from a head's row to the next head's, and from a token's to the next one's.
  k_head: u32,
  k_token: u32,
  v_head: u32,
  v_token: u32,
  q_head: u32, // lib queries_turned
  q_token: u32,
  head_pages: u32, // in a cache of pages, lib rows_paged
  // [5, B]: tokens already in the cache, new ones, and where the first row lies in k, v and q, by vec4s; then, in a cache of
  // pages, lib pages_append
  lens: array<u32>,
}

@group(0) @binding(0) var<storage, read> k: array<KSource>;
@group(0) @binding(1) var<storage, read> v: array<VSource>;
@group(0) @binding(2) var<storage, read> step: AppendStep;
@group(0) @binding(3) var<storage, read_write> k_cache: array<u32>;
@group(0) @binding(4) var<storage, read_write> v_cache: array<u32>;
@group(0) @binding(5) var<storage, read_write> status: array<atomic<u32>>;

const ROW_LANES = WG_SIZE / 2u; // of a slot
const INFINITY_BITS = 0x7f800000u;
const LEAST_NORMAL_BITS = 0x00800000u;
const NAN_BITS = 0x7fc00000u;

// Whose weights a norm takes.
const K_ROW = 0u;
const Q_ROW = 1u;

const_assert WG_SIZE % 2u == 0u && ROW_LANES * 4u >= HEAD_DIM && ROW_LANES * 4u >= V_DIM;

// Where an invocation's four elements go.
struct Slot {
  row: u32,       // of all rows of the cache
  scale_row: u32, // the same, with every head beginning at an even number
  number: u32,    // 0, or 1 for the odd slot
  i: u32,         // which vec4 of the row; the shorter of two rows has none for the last invocations
  lane: u32,      // number in the workgroup: i, or ROW_LANES + i in the odd slot
  fresh: bool,    // whether the slot is new and the vec4 there; others stay as they are
}

// Elements of a vec4 that their type cannot hold.
struct Lost {
  not_finite: u32, // NaN and infinity, which stay what they are
  saturated: u32,  // finite, but past the largest number of the type
  vanished: u32,   // not zero, but too small for the type
}

// What is lost of four magnitudes: past `largest`, and where `vanished`.
fn lost_of(magnitude: vec4<u32>, largest: u32, vanished: vec4<bool>) -> Lost {
  let finite = magnitude < vec4<u32>(INFINITY_BITS);
  return Lost(
    trues(!finite),
    trues(finite & (magnitude > vec4<u32>(largest))),
    trues((magnitude > vec4<u32>()) & vanished),
  );
}

fn trues(each: vec4<bool>) -> u32 {
  return dot(select(vec4<u32>(), vec4<u32>(1u), each), vec4<u32>(1u));
}

// Elements are seldom lost: nothing is added then.
fn count(first: u32, lost: Lost) {
  if lost.not_finite > 0u {
    atomicAdd(&status[first], lost.not_finite);
  }
  if lost.saturated > 0u {
    atomicAdd(&status[first + 1u], lost.saturated);
  }
  if lost.vanished > 0u {
    atomicAdd(&status[first + 2u], lost.vanished);
  }
}

// Where the row of a head and of a new token of sequence `b` lies in k, and in v.
fn k_place(b: u32, head: u32, token: u32) -> u32 {
  return step.lens[2u * step.batch + b] + head * step.k_head + token * step.k_token;
}

fn v_place(b: u32, head: u32, token: u32) -> u32 {
  return step.lens[3u * step.batch + b] + head * step.v_head + token * step.v_token;
}

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  if lane == 0u && all(group == vec3<u32>()) {
    atomicAdd(&status[0], 1u);
  }
  if group.y >= step.num_kv_heads {
    turn_queries(group, groups, lane);
    return;
  }
  let held = step.lens[group.z];
  let num_tokens = step.lens[groups.z + group.z];
  let pair = (held / 2u + group.x) * 2u;
  if num_tokens == 0u || pair >= min(held + num_tokens, step.capacity) {
    return; // neither is new, and their scales may be those of the next head's first slots
  }
  let number = pair + lane / ROW_LANES;
  let token = number - held; // wraps where the slot is an old one
  let fresh = number >= held && token < num_tokens && number < step.capacity;
  let head = group.z * step.num_kv_heads + group.y;
  let source = select(0u, token, fresh);
  let k_slot = slot_of(head, number, lane, fresh, HEAD_DIM / 4u);
  let k_from = k_place(group.z, group.y, source);
  let k_bits = k_bits_of(k[k_from + min(k_slot.i, HEAD_DIM / 4u - 1u)]);
  let k_norm = row_norm(k_bits, k_slot.i, lane);
  var k_row = normalised(k_bits, k_norm, K_ROW, k_slot.i);
  share(k_row, lane);
  if k_slot.fresh {
    let i = partner_at(k_slot.i);
    let partner = normalised(k_bits_of(k[k_from + i]), k_norm, K_ROW, i);
    k_row = turned(k_row, partner, k_slot.i, lane, number);
  }
  let k_lost = k_store(k_slot, step.k_scales, k_row);
  let v_slot = slot_of(head, number, lane, fresh, V_DIM / 4u);
  let v_bits = v_bits_of(v[v_place(group.z, group.y, source) + min(v_slot.i, V_DIM / 4u - 1u)]);
  let v_lost = v_store(v_slot, step.v_scales, v_bits);
  if k_slot.fresh {
    count(1u, k_lost);
  }
  if v_slot.fresh {
    count(4u, v_lost);
  }
}

// The slot of a row of `vec4s`.
fn slot_of(head: u32, number: u32, lane: u32, fresh: bool, vec4s: u32) -> Slot {
  let i = lane % ROW_LANES;
  return Slot(
    kv_row(head, number),
    kv_scale_row(head, number),
    lane / ROW_LANES,
    i,
    lane,
    fresh && i < vec4s,
  );
}
