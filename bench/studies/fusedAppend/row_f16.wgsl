// lib row_f16: stores a row of f16 elements by whole words. Linked for K and for V, as k_* and v_*.

fn append(row: u32, source: u32, position: u32, index: u32) -> Lost {
  var lost = Lost();
  for (var w = index; w < ROW_WORDS; w += WG_SIZE) {
    var word = Word();
    for (var i = 0u; i < WORD_VEC4S; i++) { // unroll
      let bits = prepared(source, w * WORD_VEC4S + i, position);
      let magnitude = bits & vec4<u32>(0x7fffffffu);
      let finite = min(nearest_halves(magnitude), vec4<u32>(0x7bffu));
      let special = select(vec4<u32>(HALF_INFINITY), vec4<u32>(HALF_NAN), magnitude > vec4<u32>(INFINITY_BITS));
      let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
      let halves = sign | select(special, finite, magnitude < vec4<u32>(INFINITY_BITS));
      word[2u * i] = halves.x | (halves.y << 16u);
      word[2u * i + 1u] = halves.z | (halves.w << 16u);
      lost = more_lost(lost, lost_of(magnitude, 0x477fe000u, finite == vec4<u32>()));
    }
    cache[row * ROW_WORDS + w] = word;
  }
  return lost;
}
