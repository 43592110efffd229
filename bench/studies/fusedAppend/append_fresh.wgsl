// lib append_fresh: what decode_registers would call to append the rows of its own step before it attends to them.
//
// A workgroup whose item has new keys stores their rows, waits for its own writes, and goes on as ever. Workgroups that share a
// KV head, because its rows do not fit one, all store the same bits; the first of them counts what is lost.
//
// in   k_fresh, v_fresh  [B, Hkv, Lq, D] f32
// i/o  k_cache, v_cache
//      status            as in append_kv
// libs step work subgroup halves, row_f16 as k_* and v_*, rows_plain or rows_turned

@group(0) @binding(10) var<storage, read> k_fresh: array<vec4<u32>>;
@group(0) @binding(11) var<storage, read> v_fresh: array<vec4<u32>>;
@group(0) @binding(12) var<storage, read_write> status: array<atomic<u32>>;

fn append_fresh(work: Work, me: Invocation) {
  let held = work.kv_len - work.q_len;
  if work.end <= held {
    return;
  }
  let index = team_of(me) * LANES + lane_of(me);
  for (var key = max(work.begin, held); key < work.end; key++) {
    let source = (work.kv_head * work.q_len + key - held) * D4;
    let row = kv_row(work.kv_head, key);
    let k_lost = k_append(row, source, key, index);
    let v_lost = v_append(row, source, key, index);
    if work.row_start == 0u {
      count(1u, k_lost);
      count(4u, v_lost);
    }
  }
  storageBarrier(); // the rows are there
}

fn v_prepared(source: u32, i: u32, position: u32) -> vec4<u32> {
  return v_fresh[source + i];
}

fn more_lost(a: Lost, b: Lost) -> Lost {
  return Lost(a.not_finite + b.not_finite, a.saturated + b.saturated, a.vanished + b.vanished);
}
