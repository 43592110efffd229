// lib words_8: words of 8 bytes: what an invocation loads of a row at once. Linked for K and for V, as k_* and v_*; `cache` is the
// one or the other.

alias Word = vec2<u32>;
const WORD_U32S = 2u;

// The j-th u32 of a word.
fn word_u32(word: Word, j: u32) -> u32 {
  return word[j];
}

// The i-th u32 of the cache.
fn cache_u32(i: u32) -> u32 {
  return cache[i / 2u][i % 2u];
}
