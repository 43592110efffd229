// lib registers_rows: where the keys of a round of decode_registers lie.
//
// In a cache whose rows are SHIFTED each invocation looks up the keys whose scores it finishes, which are those whose scales it reads; the
// rest of the quad has the others, and gets them from there. So K, V and their scales share a look-up.
// consts those of decode_registers
// libs   step subgroup registers_round, one of rows_*

const LINE_U32S = 16u; // of a line of a CPU's memory
// Whether shifts are looked up in the round before. Masked rounds leave no register for that on Intel's GPUs.
const SHIFTS_AHEAD = SHIFTS_KEPT || !MASKED;

// The h-th key whose score an invocation finishes, in a round whose first such is `first`; the last one where there is none.
fn held_key(first: u32, h: u32, constants: Constants) -> u32 {
  return min(first + h * RUNS, constants.last.held);
}

// Where the held keys of a round lie: rows of scales, and of elements where the cache is SHIFTED.
fn held_rows(work: Work, first: u32, constants: Constants, shifts: HeldRows) -> HeldRows {
  var rows = HeldRows();
  for (var h = 0u; h < HELD_TOKENS; h++) { // unroll
    let key = held_key(first, h, constants);
    rows[h] = key + select(kv_shift(work.kv_head, key), shifts[h], SHIFTS_AHEAD);
  }
  return rows;
}

// The shifts of a round's held keys, by those of the round before.
fn next_shifts(
  work: Work,
  at: Lane,
  first: u32,
  constants: Constants,
  shifts: ptr<function, HeldRows>,
) {
  for (var h = 0u; h < HELD_TOKENS; h++) { // unroll
    let key = held_key(first, h, constants);
    if SHIFTS_KEPT {
      if kv_moves(key, ROUND) {
        let shift = kv_shift(work.kv_head, key);
        (*shifts)[h] = shift ^ touch(at, key + shift);
      }
    } else if SHIFTS_AHEAD {
      (*shifts)[h] = kv_shift(work.kv_head, key);
    }
  }
}

// Asks for the lines of memory from a row on, one for each lane, of K and of V, all at once: a CPU does not look as far ahead as
// from one to the next, and would wait for each. 0, which the compiler cannot know: there are fewer than 2^31 sequences.
fn touch(at: Lane, row: u32) -> u32 {
  let k = k_word_u32(k_cache[row * K_ROW_WORDS + at.lane * (LINE_U32S / K_WORD_U32S)], 0u);
  let v = v_word_u32(v_cache[row * V_ROW_WORDS + at.lane * (LINE_U32S / V_WORD_U32S)], 0u);
  return (k | v) & (step.batch >> 31u);
}

// Index of the invocation's first word of the team's t-th key: where its cursor stands, or in the row that one of the quad holds.
fn place_of(me: Invocation, at: Lane, rows: HeldRows, t: u32, row_words: u32, cursor: u32) -> u32 {
  if !SHIFTED && !UNLIKE {
    return cursor;
  }
  var first = cursor * row_words;
  if SHIFTED {
    first = rows[t % HELD_TOKENS] * row_words;
    if TOKEN_LANES > 1u {
      first = quad_index(me, first, key_owner(t));
    }
  }
  return first + min(at.lane, row_words - 1u);
}
