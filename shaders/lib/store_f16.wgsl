// lib store_f16: writes to a cache of f16 elements, two to a u32: the nearest, ties to even, subnormal ones too; finite values
// past the largest one saturate to it. Needs lib halves.
// Linked for K and for V, as k_* and v_*; `cache` is the one or the other.

const LARGEST = 0x7bffu;
const LARGEST_BITS = 0x477fe000u; // the same, 65504, as f32

fn store(slot: Slot, scales: u32, bits: vec4<u32>) -> Lost {
  let magnitude = bits & vec4<u32>(0x7fffffffu);
  let finite = min(nearest_halves(magnitude), vec4<u32>(LARGEST));
  let special = select(vec4<u32>(HALF_INFINITY), vec4<u32>(HALF_NAN), magnitude > vec4<u32>(INFINITY_BITS));
  let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
  let halves = sign | select(special, finite, magnitude < vec4<u32>(INFINITY_BITS));
  if slot.fresh {
    let at = slot.row * (ROW_DIM / 2u) + slot.i * 2u;
    cache[at] = halves.x | (halves.y << 16u);
    cache[at + 1u] = halves.z | (halves.w << 16u);
  }
  return lost_of(magnitude, LARGEST_BITS, finite == vec4<u32>());
}
