// lib place_kept: a workgroup's place, which its work follows from, stays where it is while a kernel walks along keys.

fn keep_place(is_first: bool, place: vec3<u32>) {
}

// The place anew, from what the compiler cannot know to be 0: it would keep what it has computed from it before.
fn place_again(place: vec3<u32>, zero: u32) -> vec3<u32> {
  return place ^ vec3<u32>(zero);
}
