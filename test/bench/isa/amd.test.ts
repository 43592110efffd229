// amd.test.ts: the main loop in AMD's assembly, on texts as the disassembler writes them.
import { expect, test } from 'vitest';
import { amdMainLoop } from '../../../bench/isa/assembly/amd.ts';

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
