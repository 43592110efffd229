// lib place_shared: a workgroup's place, which its work follows from, lies in workgroup memory while a kernel walks along keys, where it
// takes no registers.

var<workgroup> shared_place: vec3<u32>;

// `is_first`: of one invocation of the workgroup.
fn keep_place(is_first: bool, place: vec3<u32>) {
  if is_first {
    shared_place = place;
  }
}

fn place_again(place: vec3<u32>, zero: u32) -> vec3<u32> {
  return workgroupUniformLoad(&shared_place);
}
