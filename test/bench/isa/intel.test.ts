// intel.test.ts: the main loop in Intel's assembly, on texts as brw writes them for Xe LP and for its successors.
import { describe, expect, test } from 'vitest';
import { intelMainLoop, intelPasses } from '../../../bench/isa/assembly/intel.ts';

// Between the loops: the first clears workgroup memory and is the longest, the second is the main one.
const XE_LP = `LABEL1:
cmp.ge.f0.0(16) null<1>UD       g95<8,8,1>UD    0x00002100UD    { align1 1H @1 };
(+f0.0) break(16) JIP:  LABEL0        UIP:  LABEL0              { align1 1H };
mov(16)         g97<1>UD        0x00000000UD                    { align1 1H $2.src };
mov(16)         g99<1>UD        0x00000000UD                    { align1 1H $2.src };
mov(16)         g101<1>UD       0x00000000UD                    { align1 1H $2.src };
mov(16)         g103<1>UD       0x00000000UD                    { align1 1H $2.src };
add(16)         g95<1>D         g95<8,8,1>D     2048D           { align1 1H $2.src };
add(16)         g95<1>D         g95<8,8,1>D     2048D           { align1 1H $2.src };
add(16)         g95<1>D         g95<8,8,1>D     2048D           { align1 1H $2.src };

LABEL0:
while(16)       JIP:  LABEL1                                    { align1 1H };

LABEL3:
send(16)        g13UD           g11UD           nullUD          0x04823006                0x00000000
                            dp data 1 MsgDesc: (untyped surface read, Surface = 4, SIMD16, Mask = 0x0)  mlen 2 ex_mlen 0 rlen 8 { align1 1H @1 $6 };
send(16)        g21UD           g11UD           nullUD          0x04823006                0x00000000
                            dp data 1 MsgDesc: (untyped surface read, Surface = 5, SIMD16, Mask = 0xe)  mlen 2 ex_mlen 0 rlen 2 { align1 1H @1 $7 };
send(16)        g30UD           g11UD           nullUD          0x04823006                0x00000000
                            dp data 1 MsgDesc: (untyped surface read, Surface = 254, SIMD16, Mask = 0x0)  mlen 2 ex_mlen 0 rlen 8 { align1 1H @1 $8 };
send(16)        g108UD          g110UD          nullUD          0x022803fd                0x00000000
                            data MsgDesc: (DC OWORD block read, bti 253, owords = 4, aligned = 0)  mlen 1 ex_mlen 0 rlen 2 { align1 WE_all 1H @1 $9 };
sync nop(1)                     null<0,1,0>UB                   { align1 WE_all 1N $6.dst };
mad(16)         g64<1>F         g108<8,8,1>F    g62<8,8,1>F     g13<1,1,1>F { align1 1H @5 $7.dst };
(+f0.0) mov(16) g65<1>F         g64<8,8,1>F                     { align1 1H };
while(16)       JIP:  LABEL3                                    { align1 1H };
`;

const XE_HPG = `LABEL3:
send(32)        g3UD            g121UD          nullUD          0x64803500                0x04000000
                            ugm MsgDesc: ( load, a32, d32, V4, L1STATE_L3MOCS dst_len = 8, src0_len = 2, src1_len = 0 bti )  BTI 4  base_offset 0  { align1 $6 };
send(32)        g13UD           g121UD          nullUD          0x64803500                0x04000000
                            ugm MsgDesc: ( load, a32, d32, V2, L1STATE_L3MOCS dst_len = 4, src0_len = 2, src1_len = 0 bti )  BTI 5  base_offset 0  { align1 A@1 $7 };
send(1)         g89UD           g91UD           nullUD          0x4220e500                a0.2<0>UD
                            ugm MsgDesc: ( load, a32, d32, V32, transpose, L1STATE_L3MOCS dst_len = 2, src0_len = 1, ss )  surface_state_index 0  { align1 WE_all 1N $15 };
send(32)        nullUD          g88UD           g86UD           0x44000504                a0.2<0>UD
                            ugm MsgDesc: ( store, a32, d32, V1, L1STATE_L3MOCS dst_len = 0, src0_len = 2, ss )  surface_state_index 0  { align1 I@1 $6 };
send(32)        g14UD           g82UD           nullUD          0x64803500                0x04000000
                            slm MsgDesc: ( load, a32, d32, V4, L1STATE_L3MOCS dst_len = 8, src0_len = 2, src1_len = 0 flat )  base_offset 0  { align1 $8 };
mad(32)         g64<1>F         g108<8,8,1>F    g62<8,8,1>F     g13<1,1,1>F { align1 A@5 $7.dst };
while(32)       JIP:  LABEL3                                    { align1 };
`;

describe('the loop that loads the cache, whatever is longer', () => {
  test('Xe LP: surfaces of buffers count as loads, 254 is workgroup memory, 253 scratch', () => {
    expect(intelMainLoop(XE_LP)).toEqual({
      // 4 messages, a product, a move; no waits, no jump back.
      instructions: 6,
      loadBytes: 16 + 4,
      inFlight: 16 + 4,
      drains: 1,
      scratch: 1,
    });
  });

  test('Xe HPG and Xe2: a state index is scratch; a message waits for the one that had its token', () => {
    expect(intelMainLoop(XE_HPG)).toEqual({
      instructions: 6,
      loadBytes: 16 + 8,
      inFlight: 16 + 8,
      drains: 1,
      scratch: 2,
    });
  });
});

test('no loop that loads, no counts', () => {
  expect(intelMainLoop('')).toBeUndefined();
  expect(
    intelMainLoop('LABEL1:\nnop(16) { align1 };\nwhile(16)       JIP:  LABEL1    { align1 1H };\n'),
  ).toBeUndefined();
});

/** A loop that loads eight bytes and does this with them. */
const pass = (label: number, instruction: string) => `LABEL${label}:
send(16)        g13UD           g11UD           nullUD          0x04823006                0x00000000
                            dp data 1 MsgDesc: (untyped surface read, Surface = 4, SIMD16, Mask = 0xc)  mlen 2 ex_mlen 0 rlen 4 { align1 1H @1 $6 };
${instruction}    { align1 1H @1 $6.dst };
while(16)       JIP:  LABEL${label}                                    { align1 1H };
`;

test('two passes are summed; a loop that only copies is none', () => {
  const copy = pass(1, 'mov(16)         g97<1>UD        g13<8,8,1>UD');
  const address = pass(2, 'mul(16)         g97<1>D         g13<8,8,1>D     g14<8,8,1>UW');
  const keys = pass(3, 'mad(16)         g106<1>F        g70<8,8,1>F     g104<8,8,1>F    g26<1,1,1>F');
  const values = pass(4, '(+f0.0) mad(16) g18<1>HF        g12<8,8,1>HF    g17<8,8,1>HF    g115<1,1,1>HF');
  expect(intelPasses(copy + address + keys + values)).toEqual({
    instructions: 4,
    loadBytes: 16,
    inFlight: 8,
    drains: 2,
    scratch: 0,
  });
  expect(intelPasses(copy + address + keys)).toBeUndefined();
});
