// report.test.ts: a result as a file and as tables, on rows of each kind.
import { describe, expect, test } from 'vitest';
import { instructionsPerKey, instructionsPerMad } from '../../../bench/isa/figures.ts';
import { isaJson, isaReport } from '../../../bench/isa/report.ts';
import { multiplyAdds } from '../../../bench/isa/work.ts';
import type { IsaResult, IsaRow } from '../../../bench/schema/isaSchema.ts';
import { parseIsaResult } from '../../../bench/schema/readResult.ts';

const REGISTERS = {
  template: 'registers',
  wgSize: 128,
  lanes: 16,
  tokens: 2,
  teamRows: 4,
  blocks: 1,
  q: 'registers',
  code: 'gpu',
} as const;
const TILES = { template: 'tiles', wgSize: 64, tile: 64, rowBlock: 4, mixWords: 1 } as const;

const AMD: IsaRow = {
  family: 'navi31',
  engine: 'gqa-webgpu',
  kernel: 'decode_registers',
  cases: ['h32_kv8_d128_q1_f16'],
  variant: REGISTERS,
  invocations: 128,
  subgroupSize: 64,
  instructions: 1389,
  registers: 96,
  spills: 0,
  privateBytes: 0,
  resident: 8,
  loop: {
    instructions: 393,
    multiplyAdds: 128,
    loadBytes: 64,
    inFlight: 32,
    drains: 2,
    scratch: 0,
    ldsShuffles: 24,
  },
};

const INTEL: IsaRow = {
  family: 'tgl',
  engine: 'gqa-webgpu',
  kernel: 'decode_merge',
  cases: ['h32_kv8_d128_q1_f16', 'h32_kv8_d128_q1_int8'],
  invocations: 128,
  subgroupSize: 16,
  instructions: 299,
  registers: 48,
  spills: 2,
  fills: 3,
  privateBytes: 1024,
};

const RESULT: IsaResult = {
  schema: 'gqa-isa/1',
  context: {
    date: '2026-01-01T00:00:00.000Z',
    tool: { name: 'gqa-webgpu', version: '0.1.0', commit: 'abc1234' },
    runtime: { kind: 'node', version: '20.0.0', webgpu: 'dawn (webgpu 0.6.2)' },
    mesa: '25.0.7-2',
    families: [
      { name: 'navi31', gpu: 'AMD RDNA3', compiler: 'ACO', mostResident: 16, adapter: 'RADV NAVI31' },
      { name: 'tgl', gpu: 'Intel Xe LP', compiler: 'brw', adapter: 'TGL GT2' },
    ],
    nonStandard: { shapes: '32/8/128' },
  },
  results: [AMD, INTEL],
  refused: [{ family: 'tgl', id: 'h71_kv1_d64_q4_f32_tiles', why: 'too much workgroup memory' }],
};

describe('the work of a turn', () => {
  test('a lane has D / lanes elements of each key and value, for every row and key', () => {
    expect(multiplyAdds(REGISTERS, 128)).toBe(2 * 8 * 4 * 2);
    expect(multiplyAdds({ ...REGISTERS, lanes: 8, tokens: 1 }, 64)).toBe(2 * 8 * 4);
    expect(multiplyAdds(TILES, 128)).toBeUndefined();
  });

  test('per multiply-add, and per key of four rows: 64 lanes do eight keys of 1,024 multiply-adds', () => {
    expect(instructionsPerMad(AMD)).toBeCloseTo(393 / 128, 12);
    expect(instructionsPerKey(AMD)).toBeCloseTo(393 / 8, 12);
    expect(instructionsPerMad(INTEL)).toBeUndefined();
    expect(
      instructionsPerKey({ ...AMD, loop: { ...AMD.loop!, multiplyAdds: undefined } as never }),
    ).toBeUndefined();
  });
});

describe('a file', () => {
  test('is read as it was written, a line for each row', () => {
    const text = isaJson(RESULT);
    expect(parseIsaResult(text, 'isa.json')).toEqual(RESULT);
    const lines = text.split('\n');
    expect(lines).toContain(`${JSON.stringify(AMD)},`);
    expect(lines).toContain(JSON.stringify(INTEL));
    expect(parseIsaResult(isaJson({ ...RESULT, refused: [] }), 'isa.json').refused).toEqual([]);
  });

  test('that lacks something is told what', () => {
    const { registers: _, ...row } = AMD;
    const text = isaJson({ ...RESULT, results: [row as IsaRow] });
    expect(() => parseIsaResult(text, 'isa.json')).toThrow('expected a number, got nothing');
    expect(() => parseIsaResult('{}', 'isa.json')).toThrow(
      'isa.json: schema: expected "gqa-isa/1", got nothing',
    );
  });
});

test('tables: what was compiled by what, the families, the pipelines, what was refused', () => {
  const report = isaReport(RESULT);
  expect(report).toContain('gqa-webgpu 0.1.0 (abc1234)  \ncompiled by ACO, brw of Mesa 25.0.7-2');
  expect(report).toContain('not the standard run: --shapes 32/8/128');
  expect(report).toMatch(/^\| navi31 +\| AMD RDNA3 +\| ACO +\| +1 \| +0 \| +96 \| +8 of 16 \|$/m);
  expect(report).toMatch(/^\| tgl +\| Intel Xe LP +\| brw +\| +1 \| +1 \| +48 \| +\|$/m);
  expect(report).toMatch(
    /^\| navi31 +\| h32_kv8_d128_q1_f16 +\| registers wg128 [^|]+\| +64 \| +1389 \| +96 \| +0 \| +0 \| +8 of 16 \| +393 \| +3.07 \| +49.1 \| +32 \| +2 \| +0 \| +24 \|$/m,
  );
  expect(report).toMatch(
    /^\| tgl +\| h32_kv8_d128_q1_f16 and 1 other +\| decode_merge +\| +16 \| +299 \| +48 \| +2 : 3 \| +1024 \| +(\| +)+\|$/m,
  );
  expect(report).toContain('refused  tgl h71_kv1_d64_q4_f32_tiles: too much workgroup memory');
});
