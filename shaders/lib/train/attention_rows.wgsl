// lib attention_rows: where the rows of queries, keys and their gradients lie, for the kernels of attention's backward pass.
//
// A KV head has length * GROUP_SIZE query rows: row n is of position n / GROUP_SIZE and of its n % GROUP_SIZE-th query head.
//
// in   numbers  AttentionNumbers
//      q k v lse delta d_o of the kernels
// consts HEAD_DIM GROUP_SIZE

struct AttentionNumbers {
  batch: u32,
  length: u32,       // T
  num_kv_heads: u32,
  capacity: u32,     // C, slots of a KV head in k and v
  fours: u32,        // D / 4
  scale: f32,
}

// What is worked on: rows or keys from `first` on of a KV head of a sequence.
struct Place {
  sequence: u32,
  kv_head: u32,
  first: u32,
}

// A query row and a key of a place.
struct Pair {
  row: u32,
  key: u32,
}

// What is multiplied: queries and keys, which makes scores, or gradients of the output and values.
const OF_SCORES = 0u;
const OF_VALUES = 1u;

fn heads() -> u32 {
  return numbers.batch * numbers.num_kv_heads;
}

fn place_in(head: u32, first: u32) -> Place {
  return Place(head / numbers.num_kv_heads, head % numbers.num_kv_heads, first);
}

fn query_rows() -> u32 {
  return numbers.length * GROUP_SIZE;
}

// Rows and keys past the end stand for the last one: nothing behind it is read.
fn row_within(row: u32) -> u32 {
  return min(row, query_rows() - 1u);
}

fn key_within(key: u32) -> u32 {
  return min(key, numbers.length - 1u);
}

// The first vec4 of a row in q and d_o.
fn query_start(place: Place, row: u32) -> u32 {
  let token = place.sequence * numbers.length + row_within(row) / GROUP_SIZE;
  return ((token * numbers.num_kv_heads + place.kv_head) * GROUP_SIZE + row_within(row) % GROUP_SIZE) * numbers.fours;
}

// The first vec4 of a key in k and v.
fn key_start(place: Place, key: u32) -> u32 {
  return ((place.sequence * numbers.num_kv_heads + place.kv_head) * numbers.capacity + key_within(key)) * numbers.fours;
}

// The first vec4 of a head of a token's row of d_qkv, heads counted over those of q, k and v.
fn gradient_start(place: Place, position: u32, head: u32) -> u32 {
  let token = place.sequence * numbers.length + position;
  return (token * numbers.num_kv_heads * (GROUP_SIZE + 2u) + head) * numbers.fours;
}

fn query_at(which: u32, at: u32) -> vec4<f32> {
  if which == OF_SCORES {
    return q[at];
  }
  return d_o[at];
}

fn key_at(which: u32, at: u32) -> vec4<f32> {
  if which == OF_SCORES {
    return k[at];
  }
  return v[at];
}

// The number of a row in lse and delta.
fn figure_of(place: Place, row: u32) -> u32 {
  let head = (place.sequence * numbers.num_kv_heads + place.kv_head) * GROUP_SIZE + row_within(row) % GROUP_SIZE;
  return head * numbers.length + row_within(row) / GROUP_SIZE;
}

// A row's weight of a key, from q.k: 0 where it does not see it, or there is no such row.
fn weight_of(pair: Pair, score: f32, row_lse: f32) -> f32 {
  let sees = pair.row < query_rows() && pair.key <= pair.row / GROUP_SIZE;
  return select(0.0, exp(score * numbers.scale - row_lse), sees);
}

// The gradient of q.k, from that weight and d_o.v.
fn gradient_of(weight: f32, product: f32, row_delta: f32) -> f32 {
  return weight * ((product - row_delta) * numbers.scale);
}
