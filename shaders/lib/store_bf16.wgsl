// lib store_bf16: writes to a cache of bfloat16 elements, two to a u32: the nearest, ties to even; values past the largest
// finite one saturate to it. Linked for K and for V, as k_* and v_*; `cache` is the one or the other.

const BF16_MAX = vec4<u32>(0x7f7fu);

fn store(slot: Slot, scales: u32, x: vec4<f32>) {
  if slot.fresh {
    let at = slot.row * (HEAD_DIM / 2u) + slot.i * 2u;
    let bits = bitcast<vec4<u32>>(x);
    let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
    let magnitude = bits & vec4<u32>(0x7fffffffu);
    let odd = (magnitude >> vec4<u32>(16u)) & vec4<u32>(1u);
    let rounded = (magnitude + vec4<u32>(0x7fffu) + odd) >> vec4<u32>(16u);
    let halves = sign | min(rounded, BF16_MAX);
    cache[at] = halves.x | (halves.y << 16u);
    cache[at + 1u] = halves.z | (halves.w << 16u);
  }
}
