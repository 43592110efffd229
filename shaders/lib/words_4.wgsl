// lib words_4: words of 4 bytes: what an invocation loads of a row at once. Linked for K and for V, as k_* and v_*; `cache` is the
// one or the other.

alias Word = u32;
const WORD_U32S = 1u;

// The j-th u32 of a word.
fn word_u32(word: Word, j: u32) -> u32 {
  return word;
}

// The i-th u32 of the cache.
fn cache_u32(i: u32) -> u32 {
  return cache[i];
}
