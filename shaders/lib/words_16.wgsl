// lib words_16: words of 16 bytes: what an invocation loads of a row at once. Linked for K and for V, as k_* and v_*; `cache` is the
// one or the other.

alias Word = vec4<u32>;
const WORD_U32S = 4u;

// The j-th u32 of a word.
fn word_u32(word: Word, j: u32) -> u32 {
  return word[j];
}

// The i-th u32 of the cache.
fn cache_u32(i: u32) -> u32 {
  return cache[i / 4u][i % 4u];
}
