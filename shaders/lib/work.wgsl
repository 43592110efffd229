// lib work: what a workgroup of a fused kernel works on, where its queries lie, and where it writes the states of its rows.
//
// grid (row blocks, Hkv, items): as many blocks as the sequence with the most rows has. Those that read the same keys start
// one after the other, and find them in a cache
// out  o          lib output_*                          of a sequence that is one item; 0 for a row with nothing to attend to
//      its lse                                          lib lse_*
//      partial    [states, Hkv * step.rows, Dv/4 + 1] vec4   of all others, for decode_merge: o, not yet divided by l; then the
//                                                       running maximum m and sum l, and two zeros
// consts V_DIM GROUP_SIZE NUM_KV_HEADS ROW_BLOCK ONE_BLOCK (whether a KV head never has more rows than a workgroup)
// libs   step numbers scores, one of output_*, one of lse_*, one of sinks_*

@group(0) @binding(5) var<storage, read_write> partial: array<vec4<f32>>;

struct Work {
  kv_len: u32,    // tokens of the sequence
  q_len: u32,     // its query positions
  begin: u32,     // keys of the item: begin .. end - 1
  end: u32,
  sequence: u32,
  kv_head: u32,   // counted over all sequences
  head: u32,      // its first query head, within the sequence
  row_start: u32, // first row of the block within its KV head; those from rows_of on are not there
  whole: bool,    // the item is all of its sequence
  state: u32,     // index of the partial state of the KV head's first row
  q: u32,         // where the KV head's first row lies in q, o and lse
  o: u32,
  lse: u32,
}

// A workgroup's row block, KV head and item, the last as its index in the table: all that its work follows from.
fn place_of_group(group: vec3<u32>) -> vec3<u32> {
  return vec3<u32>(group.xy, item_index(group.z));
}

// The number of KV heads, and that of row blocks where it is one, are constants: kept through the loop over keys, place.x and
// num_workgroups would take registers that the kernels do not have on Intel's GPUs.
fn work_at(place: vec3<u32>) -> Work {
  let item = item_at(place.z);
  let sequence = sequence_of(item.sequence);
  let kv_head = select(place.y, 0u, NUM_KV_HEADS == 1u);
  let head = kv_head * GROUP_SIZE;
  return Work(
    sequence.kv_len,
    sequence.q_len,
    item.begin,
    item.end,
    item.sequence,
    item.sequence * NUM_KV_HEADS + kv_head,
    head,
    select(place.x * ROW_BLOCK, 0u, ONE_BLOCK),
    item.state == 0u,
    ((item.state - 1u) * NUM_KV_HEADS + kv_head) * step.rows,
    query_place(sequence.q_start, head, 0u),
    output_place(sequence.o_start, head, 0u),
    lse_place(sequence.lse_start, head, 0u),
  );
}

// Query rows of the KV head.
fn rows_of(work: Work) -> u32 {
  return work.q_len * GROUP_SIZE;
}

// Whether the sequence has fewer rows than others, and none in this block: there is nothing to do.
fn is_idle(work: Work) -> bool {
  return work.row_start >= rows_of(work);
}

// The row, or the last one for those that are not there.
fn row_there(work: Work, row: u32) -> u32 {
  return min(row, rows_of(work) - 1u);
}

// Index in q of a row's first vec4.
fn query_start(work: Work, row: u32) -> u32 {
  let there = row_there(work, row);
  return query_place(work.q, group_head_of(there), position_of(there));
}

// A row of the KV head, as features look at it.
fn query_row(work: Work, row: u32) -> QueryRow {
  let there = row_there(work, row);
  let position = position_of(there);
  return QueryRow(work.kv_len, work.sequence, work.head + group_head_of(there), position, work.q_len - 1u - position);
}

// Writes four elements, the i-th vec4, of a row's state; `row` is counted within the KV head.
fn write_state(work: Work, row: u32, i: u32, sum: vec4<f32>, m: f32, l: f32) {
  if row >= rows_of(work) || i >= V_DIM / 4u {
    return;
  }
  if work.whole {
    let sunk = with_sink(m, l, work.head + group_head_of(row));
    write_output(output_place(work.o, group_head_of(row), position_of(row)) + i, output_of(sum * sunk.z, sunk.x, sunk.y));
    if i == 0u {
      write_lse(lse_place(work.lse, group_head_of(row), position_of(row)), lse_of(sunk.x, sunk.y));
    }
    return;
  }
  let at = (work.state + row) * (V_DIM / 4u + 1u);
  partial[at + i] = sum;
  if i == 0u {
    partial[at + V_DIM / 4u] = vec4<f32>(m, l, 0.0, 0.0);
  }
}
