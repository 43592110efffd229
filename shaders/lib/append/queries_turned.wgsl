// lib queries_turned: normalises and turns the queries of the new tokens where they lie.
//
// i/o  q [B, Hq, N, D/4] vec4 bits of f32: each sequence's first few, as of k

@group(0) @binding(6) var<storage, read_write> q: array<vec4<u32>>;

// A workgroup owns two tokens' rows of a query head, of which one may be none.
fn turn_queries(group: vec3<u32>, groups: vec3<u32>, lane: u32) {
  let num_tokens = step.lens[step.batch + group.z];
  let first = 2u * group.x;
  if first >= num_tokens {
    return;
  }
  let i = lane % ROW_LANES;
  let there = first + lane / ROW_LANES < num_tokens;
  let token = select(first, first + lane / ROW_LANES, there);
  let head = group.z * (groups.y - step.num_kv_heads) + group.y - step.num_kv_heads;
  let at = source_row(head, token) * (HEAD_DIM / 4u) + min(i, HEAD_DIM / 4u - 1u);
  let bits = normalised(q[at], Q_ROW, i, lane);
  let row = turned(bits, i, lane, step.lens[group.z] + token);
  if there && i < HEAD_DIM / 4u {
    q[at] = row;
  }
}
