// lib heads_segment: a binding has some KV heads of a layer, those of a segment.
//
// in   step  lib step

// Where a KV head lies, counted over all sequences, among those that are bound. Wraps for those before.
fn head_here(kv_head: u32) -> u32 {
  return kv_head - step.first_head;
}

fn is_here(kv_head: u32) -> bool {
  return head_here(kv_head) < step.heads;
}
