// lib queries_none: append_kv has no queries to turn.

fn turn_queries(group: vec3<u32>, groups: vec3<u32>, lane: u32) {}
