// peer.node.test.ts: a peer's kernels beside ours: which steps, rows of what the layer wrote, the table.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseFlags } from '../../../bench/isa/options.ts';
import { FAMILIES } from '../../../bench/isa/families.ts';
import { bytesPerRow, instructionsPerRow } from '../../../bench/isa/figures.ts';
import { installedPeer, PEER_ATTENTION, PEER_KERNELS, peerTypes } from '../../../bench/isa/peer/peer.ts';
import { peerRows } from '../../../bench/isa/peer/peerRows.ts';
import { peerTable } from '../../../bench/isa/peer/peerTable.ts';
import { familyTable, isaReport } from '../../../bench/isa/report.ts';
import type { IsaResult, IsaRow } from '../../../bench/schema/isaSchema.ts';

const ENGINE = 'onnxruntime-web 1.2.3';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-isa-peer-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('what is compiled of a peer', () => {
  const types = (...args: string[]) => peerTypes(parseFlags(args));

  test('its step in the types of the run that it has, where the run has the same step', () => {
    expect(types()).toEqual(['f32', 'f16']);
    expect(types('--types', 'f16,int8')).toEqual(['f16']);
    expect(types('--shapes', '32/4/128')).toEqual([]);
    expect(types('--q-lens', '4')).toEqual([]);
    expect(types('--kernels', 'tiles')).toEqual([]);
  });

  test('nothing where its package is not installed, which is said once, with how to get it', () => {
    const notes: string[] = [];
    const note = (line: string) => void notes.push(line);
    expect(installedPeer(['f16'], '1.2.3', note)).toEqual({ engine: ENGINE, types: ['f16'] });
    expect(installedPeer([], undefined, note)).toBeUndefined();
    expect(notes).toEqual([]);
    expect(installedPeer(['f16'], undefined, note)).toBeUndefined();
    expect(notes).toEqual([
      expect.stringMatching(/^onnxruntime-web is not installed: .*npm ci .*bench\/peers/),
    ]);
  });
});

const AMD = FAMILIES.find(({ name }) => name === 'navi31')!;
const NVIDIA = FAMILIES.find(({ name }) => name === 'ampere')!;

/** A loop over the cache that loads eight bytes. */
const pass = (label: string) => `${label}:
	buffer_load_b64 v[4:5], v3, s[28:31], 0 offen               ; e0540000
	s_waitcnt vmcnt(0)                                          ; bf8903f7
	v_pk_fma_f16 v7, v5, v9, v7 op_sel_hi:[1,0,1]               ; cc0e4007
	s_cbranch_scc0 ${label}                                     ; bfa1ffa6
`;

const STATISTICS = {
  Instructions: 900,
  VGPRs: 48,
  'Spilled VGPRs': 0,
  'Spilled SGPRs': 0,
  'Scratch size': 0,
  'Subgroups per SIMD': 14,
};

function writeLines(names: readonly string[], statistics: object): void {
  const lines = names.map((name) => JSON.stringify({ name, invocations: 128, subgroupSize: 64, statistics }));
  writeFileSync(join(folder, 'pipelines.jsonl'), `${lines.join('\n')}\n`);
}

describe('rows', () => {
  test('both passes make the loop; each element that is loaded is one multiply-add', () => {
    writeLines([...PEER_KERNELS, 'CopyKVCache'], STATISTICS);
    writeFileSync(join(folder, `${PEER_ATTENTION}.s`), pass('BB0') + pass('BB1'));
    const rows = peerRows(AMD, ENGINE, 'f16', folder);
    expect(rows.map(({ kernel }) => kernel)).toEqual(PEER_KERNELS);
    expect(rows[0]).toMatchObject({
      family: 'navi31',
      engine: ENGINE,
      cases: ['h32_kv8_d128_q1_f16'],
      instructions: 900,
      registers: 48,
      resident: 7,
      loop: { instructions: 8, loadBytes: 16, multiplyAdds: 8 },
    });
    expect(rows[1]).not.toHaveProperty('loop');
    // Nothing is shared between rows: 128 halves of a key and of a value each.
    expect(bytesPerRow(rows[0]!)).toBe(2 * 128 * 2);
    expect(instructionsPerRow(rows[0]!)).toBe((8 / 8) * (256 / 64));
    expect(peerRows(AMD, ENGINE, 'f32', folder)[0]!.loop).toMatchObject({ multiplyAdds: 4 });
  });

  test('no text, no loop', () => {
    writeLines(PEER_KERNELS, { 'Instruction count': 800, 'Number of GPRs': 39, 'SLM Size': 0 });
    const [row] = peerRows(NVIDIA, ENGINE, 'f32', folder);
    expect(row).toMatchObject({ registers: 39, resident: 48 });
    expect(row).not.toHaveProperty('loop');
  });

  test('a kernel that is missing is told', () => {
    writeLines([PEER_ATTENTION], STATISTICS);
    expect(() => peerRows(AMD, ENGINE, 'f16', folder)).toThrow(
      'navi31: the driver compiled no FlashAttentionDecodeVxReduce',
    );
  });
});

const THEIRS: IsaRow = {
  family: 'navi31',
  engine: ENGINE,
  kernel: PEER_ATTENTION,
  cases: ['h32_kv8_d128_q1_f16'],
  invocations: 128,
  subgroupSize: 64,
  instructions: 900,
  registers: 400,
  spills: 7,
  resident: 2,
  loop: { instructions: 120, multiplyAdds: 8, loadBytes: 16, inFlight: 8, drains: 2, scratch: 0 },
};

const OURS: IsaRow = {
  ...THEIRS,
  engine: 'gqa-webgpu',
  kernel: 'decode_registers',
  cases: ['h32_kv4_d128_q1_f16', 'h32_kv8_d128_q1_f16'],
  variant: {
    template: 'registers',
    wgSize: 128,
    lanes: 16,
    tokens: 2,
    teamRows: 4,
    blocks: 1,
    q: 'registers',
    code: 'gpu',
  },
  registers: 96,
  spills: 0,
  resident: 8,
  loop: { instructions: 384, multiplyAdds: 128, loadBytes: 64, inFlight: 32, drains: 2, scratch: 0 },
};

const result = (...results: IsaRow[]): IsaResult => ({
  schema: 'gqa-isa/1',
  context: {
    date: '2026-01-01T00:00:00.000Z',
    tool: { name: 'gqa-webgpu', version: '0.1.0' },
    runtime: { kind: 'node', version: '20.0.0' },
    mesa: '25.0.7-2',
    families: [{ name: 'navi31', gpu: 'AMD RDNA3', compiler: 'ACO', mostResident: 16, adapter: 'RADV' }],
    nonStandard: {},
  },
  results,
  refused: [],
});

describe('the table', () => {
  test('ours beside theirs: 3 instructions a multiply-add for 15, a quarter of the bytes', () => {
    const table = peerTable(result(OURS, THEIRS))!;
    expect(table).toContain(`gqa-webgpu : ${ENGINE}; `);
    expect(table).toMatch(
      /^\| navi31 +\| h32_kv8_d128_q1_f16 +\| +12.0 : 60.0 \| +5.0× \| +128 : 512 \| +4.0× \| +96 : 400 \| +8 : 2 \| +no : yes \|$/m,
    );
    expect(isaReport(result(OURS, THEIRS))).toContain(table);
  });

  test('what is not known stays empty', () => {
    const { loop: _, ...noLoop } = OURS;
    expect(peerTable(result(noLoop, THEIRS))).toMatch(/\| +: 60.0 \| +\| +: 512 \| +\|/);
  });

  test('none without a peer, or without our kernel for the same step and family', () => {
    expect(peerTable(result(OURS))).toBeUndefined();
    expect(peerTable(result(THEIRS))).toBeUndefined();
    expect(peerTable(result({ ...OURS, family: 'tgl' }, THEIRS))).toBeUndefined();
    expect(peerTable(result({ ...OURS, cases: ['h32_kv8_d128_q1_f32'] }, THEIRS))).toBeUndefined();
  });

  test("a peer's kernels are no pipelines of ours", () => {
    expect(familyTable(result(OURS, THEIRS))).toBe(familyTable(result(OURS)));
    expect(isaReport(result(OURS, THEIRS)).match(/h32_kv8_d128_q1_f16/g)).toHaveLength(1);
  });
});
