// lib registers_merge: the end of decode_registers: the states of the teams with the same rows, through workgroup memory, become
// the workgroup's.
//
// consts those of decode_registers
// libs   numbers work subgroup

// Writes the states of the workgroup's rows.
fn write_rows(me: Invocation, work: Work, at: Lane, state: State) {
  for (var h = 0u; h < HELD_ROWS; h++) { // unroll
    let place = state_place(at.run, at.block, at.held_row + h);
    // A pipeline whose subgroups are smaller than a team gives NaN, not what looks like numbers.
    team_m[place] = select(state.m[h], BAD_SCORE, size_of(me) < LANES);
    team_l[place] = state.l[h];
  }
  for (var pass = 0u; pass < MERGE_PASSES; pass++) { // unroll
    merge_rows(me, work, at, pass * MERGE_ROWS, state);
  }
}

// Which of a row's vec4s a lane has as the i-th of its w-th word.
fn o_place(lane: u32, w: u32, i: u32) -> u32 {
  return (lane + w * LANES) * V_WORD_VEC4S + i;
}

// Merges MERGE_ROWS rows of every team, from `first` on, and writes them: all invocations together, a vec4 each at a time.
fn merge_rows(me: Invocation, work: Work, at: Lane, first: u32, state: State) {
  if first > 0u || Q_SHARED {
    workgroupBarrier(); // what was there is read
  }
  for (var p = 0u; p < MERGE_ROWS; p++) { // unroll
    for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
      if r == first + p {
        for (var w = 0u; w < V_LANE_WORDS; w++) { // unroll
          for (var i = 0u; i < V_WORD_VEC4S; i++) { // unroll
            shared_vec4s[(team_of(me) * MERGE_ROWS + p) * ROW_VEC4S + o_place(at.lane, w, i)] = state.o[r][w * V_WORD_VEC4S + i];
          }
        }
      }
    }
  }
  workgroupBarrier(); // the rows of all teams are there
  let block_vec4s = MERGE_ROWS * ROW_VEC4S;
  for (var j = team_of(me) * LANES + at.lane; j < BLOCKS * block_vec4s; j += WG_SIZE) { // bounded
    let row = j / ROW_VEC4S % MERGE_ROWS + first;
    merge_vec4(work, j / block_vec4s, row, j);
  }
}

// Merges the j-th vec4 of a pass, which is one of row `row` of block `block`, over all runs. RUN_GROUP of them at a time: enough
// loads in flight, and no more than fit into registers.
fn merge_vec4(work: Work, block: u32, row: u32, j: u32) {
  let groups = opaque_count(RUNS / RUN_GROUP);
  var m = NEG_MAX;
  for (var g = 0u; g < groups; g++) { // bounded
    for (var u = 0u; u < RUN_GROUP; u++) { // unroll
      m = max(m, team_m[state_place(g * RUN_GROUP + u, block, row)]);
    }
  }
  var l = 0.0;
  var sum = vec4<f32>();
  for (var g = 0u; g < groups; g++) { // bounded
    for (var u = 0u; u < RUN_GROUP; u++) { // unroll
      let run = g * RUN_GROUP + u;
      let factor = exp(team_m[state_place(run, block, row)] - m);
      l += factor * team_l[state_place(run, block, row)];
      sum += factor * shared_vec4s[run * BLOCKS * MERGE_ROWS * ROW_VEC4S + j];
    }
  }
  if row < TEAM_ROWS {
    write_state(work, work.row_start + block * TEAM_ROWS + row, j % ROW_VEC4S, sum, m, l);
  }
}

fn state_place(run: u32, block: u32, row: u32) -> u32 {
  return (run * BLOCKS + block) * PAD_ROWS + row;
}
