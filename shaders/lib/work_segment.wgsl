// lib work_segment: what a workgroup works on where a binding has some KV heads of a layer: lib work's own is called work_at_all.
//
// grid (row blocks, KV heads of the segment that are a sequence's, items)
// libs work heads_segment

fn work_at(place: vec3<u32>) -> Work {
  var work = work_at_all(vec3<u32>(place.x, place.y + step.first_head % NUM_KV_HEADS, place.z));
  work.kv_head = head_here(work.kv_head);
  return work;
}
