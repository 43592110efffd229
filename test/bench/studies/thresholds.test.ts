// thresholds.test.ts: where plans change in kind, against plans made one by one.
import { describe, expect, test } from 'vitest';
import {
  findThresholds,
  lensAt,
  loadAt,
  loadShapes,
  steepest,
  type LoadShape,
} from '../../../bench/studies/thresholds.ts';
import { planDecode } from '../../../src/decode/plan.ts';
import { planContext, type PlanContext } from '../../../src/decode/planContext.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../../support/deviceFacts.ts';

const MQA: LoadShape = { heads: 8, kvHeads: 1, headDim: 128, type: 'f16', shares: [1] };
const RAGGED: LoadShape = { ...MQA, shares: [1, 1 / 2, 1 / 4, 1 / 8] };

function contextOf(load: LoadShape, facts = GPU_FACTS): (capacity: number) => PlanContext {
  return (capacity) => {
    const { shape, layout } = loadAt(load, capacity);
    return planContext(shape, layout, facts);
  };
}

test('shapes are MHA, GQA and MQA, each alone and in a ragged batch', () => {
  expect(
    loadShapes('int8').map(({ heads, kvHeads, type, shares }) => [heads, kvHeads, type, shares.length]),
  ).toEqual([
    [32, 32, 'int8', 1],
    [32, 32, 'int8', 4],
    [32, 8, 'int8', 1],
    [32, 8, 'int8', 4],
    [32, 1, 'int8', 1],
    [32, 1, 'int8', 4],
    [8, 1, 'int8', 1],
    [8, 1, 'int8', 4],
  ]);
});

test('lengths of a batch are shares of the longest, at least one key', () => {
  expect(lensAt(MQA, 96)).toEqual([96]);
  expect(lensAt(RAGGED, 96)).toEqual([96, 48, 24, 12]);
  expect(lensAt(RAGGED, 1)).toEqual([1, 1, 1, 1]);
});

describe('findThresholds', () => {
  test.each([
    ['GPU', GPU_FACTS, 256, 9],
    ['CPU', SOFTWARE_FACTS, 1024, 4],
  ])('on a %s, the first is where one dispatch becomes two', (_, facts, wholeLen, numSplits) => {
    const [first] = findThresholds(MQA, 2048, contextOf(MQA, facts));
    expect([first!.length, first!.next]).toEqual([wholeLen, wholeLen + 32]);
    expect([first!.before.numSplits, first!.after.numSplits]).toEqual([1, numSplits]);
    expect(first!.before.dispatches).toHaveLength(1);
    expect(first!.after.dispatches).toHaveLength(2);
  });

  test.each([
    ['one sequence', MQA],
    ['a ragged batch', RAGGED],
  ])('of %s are all lengths whose neighbours have other splits, and no more', (_, load) => {
    const at = contextOf(load);
    const expected: number[] = [];
    for (let length = 32; length + 32 <= 4096; length += 32) {
      const plans = [length, length + 32].map((keys) => planDecode(at(length + 32), lensAt(load, keys)));
      const [a, b] = plans.map(({ numSplits, dispatches }) => [numSplits, dispatches.length].join());
      if (a !== b) expected.push(length);
    }
    expect(expected.length).toBeGreaterThan(10);
    expect(findThresholds(load, 4096, at).map(({ length }) => length)).toEqual(expected);
  });

  test('none where nothing is ever split', () => {
    const mha: LoadShape = { ...MQA, heads: 32, kvHeads: 32 };
    expect(findThresholds(mha, 4096, contextOf(mha, SOFTWARE_FACTS))).toEqual([]);
  });

  test('reaches the length it is given, and not beyond', () => {
    expect(findThresholds(MQA, 287, contextOf(MQA))).toEqual([]);
    expect(findThresholds(MQA, 288, contextOf(MQA))).toHaveLength(1);
  });
});

describe('steepest', () => {
  test('keeps of each octave the largest change of splits, the first of equals', () => {
    const all = findThresholds(MQA, 4096, contextOf(MQA));
    const chosen = steepest(all);
    const octaves = chosen.map(({ length }) => Math.floor(Math.log2(length)));
    expect(octaves).toEqual([8, 9, 10, 11]);
    for (const kept of chosen) {
      const change = (of: typeof kept) => Math.abs(Math.log(of.after.numSplits / of.before.numSplits));
      const rivals = all.filter(
        ({ length }) => Math.floor(Math.log2(length)) === Math.floor(Math.log2(kept.length)),
      );
      expect(change(kept)).toBe(Math.max(...rivals.map(change)));
      expect(rivals.find((rival) => change(rival) === change(kept))).toBe(kept);
    }
  });

  test('of none are none', () => {
    expect(steepest([])).toEqual([]);
  });
});
