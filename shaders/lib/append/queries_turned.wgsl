// lib queries_turned: normalises and turns the queries of the new tokens where they lie.
//
// i/o  q  rows of D   lib source_* as q_*, where step says
// consts NUM_Q_HEADS
// libs source_* as q_*

@group(0) @binding(6) var<storage, read_write> q: array<QSource>;

// A workgroup owns two of a sequence's new rows, counted over its query heads: there are so many workgroups behind those of
// the KV heads that they suffice for all.
fn turn_queries(group: vec3<u32>, groups: vec3<u32>, lane: u32) {
  let num_tokens = step.lens[step.batch + group.z];
  let num_rows = NUM_Q_HEADS * num_tokens;
  let first = 2u * ((group.y - step.num_kv_heads) * groups.x + group.x);
  if first >= num_rows {
    return;
  }
  let there = first + lane / ROW_LANES < num_rows;
  let row = select(first, first + lane / ROW_LANES, there);
  let token = row % num_tokens;
  let i = lane % ROW_LANES;
  let place = step.lens[4u * step.batch + group.z] + row / num_tokens * step.q_head + token * step.q_token;
  let bits = q_bits_of(q[place + min(i, HEAD_DIM / 4u - 1u)]);
  let norm = row_norm(bits, i, lane);
  let mine = normalised(bits, norm, Q_ROW, i);
  share(mine, lane);
  // Of two vec4s that are each other's partners the first one's invocation writes both, so that nobody reads what has been written.
  let other_i = partner_at(i);
  if !there || i >= HEAD_DIM / 4u || other_i < i {
    return;
  }
  let other = normalised(q_bits_of(q[place + other_i]), norm, Q_ROW, other_i);
  let position = step.lens[group.z] + token;
  q[place + i] = q_source_of(turned(mine, other, i, lane, position));
  if other_i > i {
    q[place + other_i] = q_source_of(turned(other, mine, other_i, lane, position));
  }
}
