// lib store_bf16: writes to a cache of bfloat16 elements, two to a u32: the nearest, ties to even; finite values past the
// largest one saturate to it. Subnormal numbers count as vanished: a device may read them as zero.
// Linked for K and for V, as k_* and v_*; `cache` is the one or the other.

const LARGEST = 0x7f7fu;
const NOT_A_NUMBER = 0x7fc0u;

fn store(slot: Slot, scales: u32, bits: vec4<u32>) -> Lost {
  let magnitude = bits & vec4<u32>(0x7fffffffu);
  let odd = (magnitude >> vec4<u32>(16u)) & vec4<u32>(1u);
  let rounded = (magnitude + vec4<u32>(0x7fffu) + odd) >> vec4<u32>(16u);
  let finite = min(rounded, vec4<u32>(LARGEST));
  let special = select(vec4<u32>(INFINITY_BITS >> 16u), vec4<u32>(NOT_A_NUMBER), magnitude > vec4<u32>(INFINITY_BITS));
  let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
  let halves = sign | select(special, finite, magnitude < vec4<u32>(INFINITY_BITS));
  if slot.fresh {
    let at = slot.row * (ROW_DIM / 2u) + slot.i * 2u;
    cache[at] = halves.x | (halves.y << 16u);
    cache[at + 1u] = halves.z | (halves.w << 16u);
  }
  return lost_of(magnitude, LARGEST << 16u, magnitude < vec4<u32>(LEAST_NORMAL_BITS));
}
