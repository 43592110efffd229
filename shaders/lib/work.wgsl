// lib work: what a workgroup of a fused kernel works on, and where it writes the states of its rows.
//
// grid (Hkv * ROW_BLOCKS, items, 1): row blocks that read the same keys start one after the other, and find them in a cache
// out  o          [rows, Dv/4] vec4                     of a sequence that is one item; 0 for a row with nothing to attend to
//      its lse                                          lib lse_*
//      partial    [states, Hkv * ROWS, Dv/4 + 1] vec4   of all others, for decode_merge: o, not yet divided by l; then the
//                                                       running maximum m and sum l, and two zeros
// consts V_DIM ROWS ROW_BLOCK Q_LEN
// libs   step numbers scores, one of lse_*, one of sinks_*

@group(0) @binding(4) var<storage, read_write> o: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> partial: array<vec4<f32>>;

const ROW_BLOCKS = (ROWS + ROW_BLOCK - 1u) / ROW_BLOCK;

struct Work {
  kv_len: u32,    // tokens of the sequence
  begin: u32,     // keys of the item: begin .. end - 1
  end: u32,
  sequence: u32,
  kv_head: u32,   // counted over all sequences
  head: u32,      // its first query head, within the sequence
  row_start: u32, // first row of the block within its KV head; rows past ROWS are not there
  whole: bool,    // the item is all of its sequence
  state: u32,     // index of the partial state of the KV head's first row
}

fn work_of(group: vec3<u32>, groups: vec3<u32>) -> Work {
  let item = item_of(group.y);
  let num_kv_heads = groups.x / ROW_BLOCKS;
  let head = group.x / ROW_BLOCKS;
  return Work(
    kv_len_of(item.sequence),
    item.begin,
    item.end,
    item.sequence,
    item.sequence * num_kv_heads + head,
    head * (ROWS / Q_LEN),
    (group.x % ROW_BLOCKS) * ROW_BLOCK,
    item.state == 0u,
    ((item.state - 1u) * num_kv_heads + head) * ROWS,
  );
}

// A row of the KV head, as features look at it.
fn query_row(work: Work, row: u32) -> QueryRow {
  let position = row % Q_LEN;
  return QueryRow(work.kv_len, work.sequence, work.head + row / Q_LEN, position, Q_LEN - 1u - position);
}

// Writes four elements, the i-th vec4, of a row's state; `row` is counted within the KV head.
fn write_state(work: Work, row: u32, i: u32, sum: vec4<f32>, m: f32, l: f32) {
  if row >= ROWS || i >= V_DIM / 4u {
    return;
  }
  if work.whole {
    let at = work.kv_head * ROWS + row;
    let sunk = with_sink(m, l, work.head + row / Q_LEN);
    o[at * (V_DIM / 4u) + i] = output_of(sum * sunk.z, sunk.x, sunk.y);
    if i == 0u {
      write_lse(at, lse_of(sunk.x, sunk.y));
    }
    return;
  }
  let at = (work.state + row) * (V_DIM / 4u + 1u);
  partial[at + i] = sum;
  if i == 0u {
    partial[at + V_DIM / 4u] = vec4<f32>(m, l, 0.0, 0.0);
  }
}
