// amd.test.ts: the main loop in AMD's assembly, on texts as the disassembler writes them.
import { expect, test } from 'vitest';
import { amdMainLoop, amdPasses } from '../../../bench/isa/assembly/amd.ts';

// Two loops: one that loads a word at a time, longer, and one that loads rows, with another one behind it.
const RDNA3 = `BB0:
	s_mov_b64 s[0:1], exec                                      ; be80017e
BB1:
	buffer_load_b32 v1, v0, s[4:7], 0 offen                     ; e0500000 80010100
	s_waitcnt vmcnt(0)                                          ; bf8903f7
	v_add_f32_e32 v2, v1, v2                                    ; 06040501
	v_add_f32_e32 v2, v1, v2                                    ; 06040501
	v_add_f32_e32 v2, v1, v2                                    ; 06040501
	v_add_f32_e32 v2, v1, v2                                    ; 06040501
	v_add_f32_e32 v2, v1, v2                                    ; 06040501
	v_add_f32_e32 v2, v1, v2                                    ; 06040501
	v_add_f32_e32 v2, v1, v2                                    ; 06040501
	v_add_f32_e32 v2, v1, v2                                    ; 06040501
	s_cbranch_scc0 BB1                                          ; bfa1fff0
BB2:
	s_clause 0x1                                                ; bf850001
	buffer_load_b128 v[4:7], v0, s[4:7], 0 offen                ; e05c0000 80010400
	buffer_load_b128 v[8:11], v0, s[4:7], 0 offen offset:16     ; e05c0010 80010800
	s_delay_alu instid0(VALU_DEP_1)                             ; bf870001
	v_dual_fmac_f32 v2, v3, v4 :: v_dual_mul_f32 v1, v5, v6     ; c8060b04 02000103
	s_waitcnt vmcnt(1)                                          ; bf8907f7
	buffer_load_b64 v[12:13], v0, s[8:11], 0 offen              ; e0540000 80020c00
	ds_bpermute_b32 v14, v15, v16                               ; dacc0000 0e00100f
	s_waitcnt lgkmcnt(0)                                        ; bf89fc07
	v_fma_mix_f32 v2, v12, v13, v2 op_sel_hi:[1,1,0]            ; cc200002 1c0a1b0c
	s_waitcnt vmcnt(0)                                          ; bf8903f7
	scratch_load_b32 v17, off, off offset:4                     ; dc510004 117c0000
	s_cbranch_vccz BB2                                          ; bfa3fff0
BB3:
	s_cbranch_execz BB4                                         ; bfa50001
	s_branch BB3                                                ; bfa0fffe
BB4:
	s_endpgm                                                    ; bfb00000
`;

test('the loop that loads most, whatever is longer: instructions, loads in flight, waits, shuffles', () => {
  expect(amdMainLoop(RDNA3)).toEqual({
    // 3 loads, 2 of one line, 3 waits, a shuffle, a product, a load of scratch, a branch; no hints.
    instructions: 3 + 2 + 3 + 1 + 1 + 1 + 1,
    loadBytes: 16 + 16 + 8,
    inFlight: 16 + 16,
    drains: 1,
    scratch: 1,
    ldsShuffles: 1,
  });
});

test('a wait of RDNA4 names its counter, loads of older GPUs their words', () => {
  const text = `BB0:
	buffer_load_dwordx4 v[4:7], v0, s[4:7], 0 offen             ; e05c1000
	global_load_ushort v8, v[0:1], off                          ; dc488000
	s_wait_loadcnt 0x0                                          ; bfc00000
	s_cbranch_scc1 BB0                                          ; bf85fff0
`;
  expect(amdMainLoop(text)).toMatchObject({ loadBytes: 18, inFlight: 18, drains: 1, instructions: 4 });
});

test('a loop is told by its own loads, not by those of a loop within it', () => {
  const text = `BB0:
	buffer_load_b32 v1, v0, s[4:7], 0 offen                     ; e0500000
BB1:
	buffer_load_b64 v[2:3], v0, s[4:7], 0 offen                 ; e0540000
	s_cbranch_scc0 BB1                                          ; bfa1fff0
	s_cbranch_scc0 BB0                                          ; bfa1fff0
`;
  expect(amdMainLoop(text)).toMatchObject({ loadBytes: 8, instructions: 2 });
});

test('no loop that loads, no counts', () => {
  expect(amdMainLoop('')).toBeUndefined();
  expect(amdMainLoop('BB0:\n\tv_nop\n\ts_branch BB0\n')).toBeUndefined();
});

// As of two passes: the query is copied, then keys and values are taken in turn, each with a loop over rows within.
const PASSES = `BB0:
	buffer_load_b64 v[4:5], v3, s[24:27], 0 offen               ; e0540000
	ds_store_b64 v3, v[4:5]                                     ; d9340000
	s_cbranch_scc0 BB0                                          ; bfa1fff0
BB1:
	s_cbranch_execz BB5                                         ; bfa50048
BB2:
	buffer_load_b64 v[4:5], v3, s[28:31], 0 offen               ; e0540000
	s_waitcnt vmcnt(0)                                          ; bf8903f7
BB3:
	v_fma_mix_f32 v10, v5, v7, v10 op_sel_hi:[1,1,0]            ; cc200007
	s_branch BB3                                                ; bfa0ffca
	s_cbranch_scc0 BB2                                          ; bfa1ffa6
BB4:
	s_branch BB1                                                ; bfa0ffa0
BB5:
	buffer_load_b64 v[4:5], v3, s[16:19], 0 offen               ; e0540000
	v_pk_fma_f16 v7, v5, v9, v7 op_sel_hi:[1,0,1]               ; cc0e4007
	v_pk_fma_f16 v6, v4, v9, v6 op_sel_hi:[1,0,1]               ; cc0e4006
	s_cbranch_scc0 BB5                                          ; bfa1ff9c
BB6:
	v_mul_f32_e32 v4, v4, v6                                    ; 10080d04
	s_branch BB6                                                ; bfa0ff00
`;

test('two passes are summed; loops that only load, only multiply or hold a pass are none', () => {
  expect(amdPasses(PASSES)).toEqual({
    instructions: 5 + 4,
    loadBytes: 8 + 8,
    inFlight: 8,
    drains: 1,
    scratch: 0,
    ldsShuffles: 0,
  });
});

test('one pass, and two of different size, have no sum', () => {
  expect(amdPasses(PASSES.replaceAll('v_pk_fma_f16', 'v_pk_add_f16'))).toBeUndefined();
  expect(
    amdPasses(
      PASSES.replace('buffer_load_b64 v[4:5], v3, s[16:19]', 'buffer_load_b128 v[4:7], v3, s[16:19]'),
    ),
  ).toBeUndefined();
});

test.each([
  'v_mul_f32_e32',
  'v_fmac_f32',
  'v_dual_fmac_f32',
  'v_fma_mixlo_f16',
  'v_pk_mul_f16',
  'v_mad_mix_f32',
  'v_dot2_f32_f16',
  'v_fmaak_f32',
])('%s multiplies', (name) => {
  const passes = amdPasses(PASSES.replaceAll('v_pk_fma_f16', name));
  expect(passes).toBeDefined();
  expect(passes).toEqual(amdPasses(PASSES));
});

test.each(['v_mul_lo_u32', 'v_mad_u64_u32', 'v_add_f32', 'v_max_f16'])('%s does not', (name) => {
  expect(amdPasses(PASSES.replaceAll('v_pk_fma_f16', name))).toBeUndefined();
});
