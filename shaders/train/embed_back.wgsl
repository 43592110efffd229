// embed_back.wgsl: the gradient of an embedding table: to each row that tokens took, the sum of the gradients of those tokens' rows is added.
//
// Sums are gathered by lists of rows, an id each, so that nothing is added by two invocations at once, and in the order that a list has.
//
// in   entries [entries, 3] u32: an id, no two the same, then the first of its list in `order` and the one behind its last;
//              an entry whose list is empty is passed over, whatever its id
//      order   u32: numbers of rows of d_x, list by list
//      d_x     [rows, width] f32 as vec4s
//      numbers EmbedBackNumbers
// i/o  d_table [vocabulary, width] f32 as vec4s
// out  see i/o
// grid (entries * width / 4 / WG_SIZE rounded up, folded into x and y, 1); an invocation owns a vec4 of an id's row
// consts WG_SIZE
// libs none

struct EmbedBackNumbers {
  entries: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> entries: array<u32>;
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read> d_x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> d_table: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> numbers: EmbedBackNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let fours = numbers.width / 4u;
  let at = (group.y * groups.x + group.x) * WG_SIZE + lane;
  if at >= numbers.entries * fours {
    return;
  }
  let entry = at / fours * 3u;
  let i = at % fours;
  let end = entries[entry + 2u];
  var next = entries[entry + 1u];
  if next >= end {
    return;
  }
  var sum = vec4<f32>();
  // Four rows are asked for before the first is waited for: a frequent token has hundreds.
  for (; next + 4u <= end; next += 4u) {
    let first = d_x[order[next] * fours + i];
    let second = d_x[order[next + 1u] * fours + i];
    let third = d_x[order[next + 2u] * fours + i];
    let fourth = d_x[order[next + 3u] * fours + i];
    sum += first;
    sum += second;
    sum += third;
    sum += fourth;
  }
  for (; next < end; next++) {
    sum += d_x[order[next] * fours + i];
  }
  d_table[entries[entry] * fours + i] += sum;
}
