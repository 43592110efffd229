// lib scales_block: one bf16 scale per 16 bytes of a row, behind all rows of the cache. Linked for K and for V, as k_* and v_*;
// one of words_*. Those of a row begin at an even number, so that no two rows share 32 bits. Elements that held NaN or infinity
// have a scale of NaN.

const ROW_BLOCKS = ROW_WORDS * WORD_U32S / 4u;

fn row_scale(scales: u32, row: u32) -> f32 {
  return 1.0;
}

// The scale of a word, `place` counted over the whole cache. `scales` is where they begin, in 16 bytes.
fn word_scale(scales: u32, place: u32) -> f32 {
  let block = place / (4u / WORD_U32S);
  let at = select(block, block + block / ROW_BLOCKS, ROW_BLOCKS % 2u == 1u);
  let pair = cache_u32(scales * 4u + at / 2u);
  return bitcast<f32>((pair << (16u - 16u * (at % 2u))) & 0xffff0000u);
}
