// statistics.test.ts: what four drivers say of a pipeline, as the same few numbers.
import { describe, expect, test } from 'vitest';
import { FAMILIES } from '../../../bench/isa/families.ts';
import { pipelineNumbers, spilled } from '../../../bench/isa/statistics.ts';

/** The numbers of a pipeline that the driver of a family says this of. */
function numbers(name: string, statistics: Record<string, number>, subgroupSize = 64) {
  const family = FAMILIES.find((each) => each.name === name)!;
  return pipelineNumbers(family, { name: 'decode_registers.0', invocations: 128, subgroupSize, statistics });
}

const AMD = {
  Instructions: 1389,
  VGPRs: 96,
  'Spilled VGPRs': 0,
  'Spilled SGPRs': 0,
  'Scratch size': 0,
  'Subgroups per SIMD': 16,
};

describe('AMD', () => {
  test('RDNA counts halves of a subgroup of 64, and no more than a SIMD holds', () => {
    expect(numbers('navi31', AMD)).toEqual({
      instructions: 1389,
      registers: 96,
      spills: 0,
      privateBytes: 0,
      resident: 8,
    });
    expect(numbers('navi31', AMD, 32).resident).toBe(16);
    expect(numbers('navi31', { ...AMD, 'Subgroups per SIMD': 64 }).resident).toBe(16);
  });

  test('GCN counts subgroups of 64', () => {
    expect(numbers('vega10', { ...AMD, 'Subgroups per SIMD': 2 }).resident).toBe(2);
  });

  test('scalar registers that are spilled count too', () => {
    expect(spilled(numbers('navi21', { ...AMD, 'Spilled SGPRs': 3 }))).toBe(true);
    expect(spilled(numbers('navi21', AMD))).toBe(false);
  });
});

test('Intel: spills and fills, and nothing is resident by registers', () => {
  const statistics = {
    'Instruction Count': 5352,
    'Max live registers': 325,
    'Spill Count': 229,
    'Fill Count': 519,
    'Scratch Memory Size': 8192,
  };
  expect(numbers('tgl', statistics, 16)).toEqual({
    instructions: 5352,
    registers: 325,
    spills: 229,
    fills: 519,
    privateBytes: 8192,
  });
});

describe('NVIDIA', () => {
  const statistics = (registers: number) => {
    return { 'Instruction count': 3421, 'Number of GPRs': registers, 'SLM Size': 0 };
  };

  // 65,536 registers in four quarters; a warp of 32 takes them in units of 256.
  test.each([
    [151, 12],
    [128, 16],
    [255, 8],
    [91, 20],
    [35, 48],
  ])('%i registers leave %i warps of 48', (registers, warps) => {
    expect(numbers('ampere', statistics(registers), 32).resident).toBe(warps);
  });

  test('Turing has 32', () => {
    expect(numbers('turing', statistics(35), 32).resident).toBe(32);
  });

  test('local memory is a spill', () => {
    expect(spilled(numbers('ampere', { ...statistics(255), 'SLM Size': 644 }, 32))).toBe(true);
  });
});

test('Adreno: stores and loads of private memory', () => {
  const statistics = {
    'Instruction Count': 3893,
    'Registers used': 32,
    'STP Count': 143,
    'LDP Count': 146,
    'Max Waves Per Core': 2,
  };
  expect(numbers('a660', statistics, 128)).toEqual({
    instructions: 3893,
    registers: 32,
    spills: 143,
    fills: 146,
    resident: 2,
  });
});

test('a driver that has other words is told, not taken for one without spills', () => {
  const renamed = Object.fromEntries(Object.entries(AMD).map(([name, value]) => [name.toUpperCase(), value]));
  expect(() => numbers('navi31', renamed)).toThrow(
    'navi31: decode_registers.0: expected the statistic "Instructions", got INSTRUCTIONS',
  );
});
