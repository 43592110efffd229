// variations.test.ts: pages, windows, features, appends and prompts as rows of a benchmark: which, and what they are called.
import { describe, expect, test } from 'vitest';
import { rowGroups, rowId, testName, type RowOptions } from '../../../bench/run/rows.ts';
import { featureNumbers, parseFeatures } from '../../../bench/run/variations.ts';
import { ShapeError } from '../../../src/index.ts';

const OPTIONS: RowOptions = {
  model: 'm',
  heads: 8,
  kvHeads: [2],
  headDim: 64,
  depths: [128],
  batches: [1],
  kTypes: ['f16'],
  vTypes: ['f16'],
  caches: ['cold'],
  kernels: ['auto'],
};

describe('variations of a row', () => {
  test('multiply out, the standard step first, and are named by what they have', () => {
    const features = parseFeatures('none,alibi+softcap');
    const [group] = rowGroups({ ...OPTIONS, pageSizes: [0, 16], windows: [0, 32], features });
    expect(group!.map(rowId)).toEqual([
      'h8_kv2_d64_t128_f16',
      'h8_kv2_d64_t128_f16_softcap_alibi',
      'h8_kv2_d64_t128_f16_w32',
      'h8_kv2_d64_t128_f16_w32_softcap_alibi',
      'h8_kv2_d64_t128_f16_page16',
      'h8_kv2_d64_t128_f16_page16_softcap_alibi',
      'h8_kv2_d64_t128_f16_page16_w32',
      'h8_kv2_d64_t128_f16_page16_w32_softcap_alibi',
    ]);
    expect(testName(group![7]!)).toBe('attn @ d128, pages of 16, window 32, softcap, alibi');
    expect(Object.keys(group![0]!)).not.toContain('pageSize');
  });

  test('a tree, RoPE and QK-norm come behind the step that they are part of, which is there once', () => {
    const features = parseFeatures('none,tree,rope,softcap+rope+qk-norm,tree+qk-norm');
    const [group] = rowGroups({ ...OPTIONS, windows: [0], pageSizes: [16], features });
    expect(group!.map((row) => rowId(row).replace('h8_kv2_d64_t128_f16_page16', ''))).toEqual([
      '',
      '_q4',
      '_q4_tree',
      '_append',
      '_append_rope',
      '_append_softcap_rope_qk-norm',
      '_q4_append',
      '_q4_append_tree_qk-norm',
    ]);
    expect(testName(group!.at(-1)!)).toBe('attn @ d128, pages of 16, 4 positions, append, tree, qk-norm');
    expect(group![0]).not.toHaveProperty('positions');
    expect(group![0]).not.toHaveProperty('append');
    const [prompt] = rowGroups({ ...OPTIONS, depths: [], prompts: [64], features: [['rope']] });
    expect(prompt!.map(rowId)).toEqual(['h8_kv2_d64_pp64_f16_append', 'h8_kv2_d64_pp64_f16_append_rope']);
  });

  test.each<[string, Partial<RowOptions>, string]>([
    ['tree', { windows: [32] }, "a tree without a window, alibi and rope, got a window: a tree's slots"],
    ['alibi+tree', {}, 'a tree without a window, alibi and rope, got alibi'],
    ['tree+rope', {}, 'a tree without a window, alibi and rope, got rope'],
    ['tree', { prompts: [64] }, 'decode steps for a tree, got a prompt'],
    ['tree', { depths: [3] }, 'sequences of at least the 4 tokens of a step, got one of 3'],
    ['rope', { requests: ['1q1s64_1q1s0'] }, 'sequences of at least the 1 tokens of a step, got one of 0'],
    [
      'qk-norm',
      { pageSizes: [16], depths: [113] },
      'the 1 last tokens of a sequence to begin no page of 16, got 113 tokens',
    ],
  ])('%s is refused with %o', (features, more, message) => {
    const refused = () => rowGroups({ ...OPTIONS, ...more, features: parseFeatures(features) });
    expect(refused).toThrow(ShapeError);
    expect(refused).toThrow(message);
  });

  test('prompts are rows beside the decode steps, in groups of their own', () => {
    const groups = rowGroups({ ...OPTIONS, prompts: [64], batches: [1, 2] });
    expect(groups.map((group) => group.map(rowId))).toEqual([
      ['h8_kv2_d64_pp64_f16'],
      ['h8_kv2_d64_t128_f16'],
      ['h8_kv2_d64_b2_pp64_f16'],
      ['h8_kv2_d64_b2_t128_f16'],
    ]);
    expect(groups[0]![0]).toMatchObject({ prompt: 64, depth: 64, capacity: 64 });
    expect(testName(groups[0]![0]!)).toBe('prefill @ p64');
  });

  test.each(['foo', 'softcap+foo', '', 'softcap+softcap', 'none+alibi'])(
    'features %j are refused',
    (text) => {
      expect(() => parseFeatures(text)).toThrow(ShapeError);
      expect(() => parseFeatures(text)).toThrow(
        'expected none, or some of softcap, sink-logits, alibi, bias',
      );
    },
  );

  test('a shared prefix is two rows, the plain step and the cascade, in pages', () => {
    const base = { ...OPTIONS, heads: 32, kvHeads: [8], batches: [2] };
    const [group] = rowGroups({ ...base, sharedPrefixes: [0, 64] });
    expect(group!.map(rowId)).toEqual([
      'h32_kv8_d64_b2_t128_f16',
      'h32_kv8_d64_b2_t128_f16_page16_prefix64',
      'h32_kv8_d64_b2_t128_f16_page16_prefix64_cascade',
    ]);
    expect(testName(group![2]!)).toBe('attn @ d128, pages of 16, shared prefix 64, cascade');
  });

  test.each<[Partial<RowOptions>, string]>([
    [{ batches: [1] }, 'expected a batch of 2 sequences or more, got 1'],
    [{ heads: 8 }, 'expected batch * heads to be a multiple of 64, got 2 * 8'],
    [{ sharedPrefixes: [128] }, 'expected fewer tokens than the 128 of a sequence, got 128'],
    [{ requests: ['1q1s512_1q1s64'] }, 'expected fewer tokens than the 64 of a sequence, got 64'],
    [{ prompts: [256] }, 'expected decode steps, got a prompt'],
    [{ windows: [32] }, 'expected neither a window nor features beside it'],
    [{ features: [['softcap']] }, 'expected neither a window nor features beside it'],
  ])('a shared prefix is refused with %o', (more, message) => {
    const base = { ...OPTIONS, heads: 32, batches: [2], sharedPrefixes: [64], ...more };
    expect(() => rowGroups(base)).toThrow(ShapeError);
    expect(() => rowGroups(base)).toThrow(`bench: shared prefix: ${message}`);
  });

  test('have numbers for as many heads, positions and keys', () => {
    const row = {
      heads: 8,
      batch: 1,
      depth: 128,
      window: 32,
      features: ['softcap', 'sink-logits', 'alibi', 'bias'] as const,
    };
    const { softcap, window, sinkLogits, alibiSlopes, bias } = featureNumbers(
      { ...row, features: [...row.features] },
      1,
    );
    expect([softcap, window, sinkLogits!.length, alibiSlopes!.length]).toEqual([50, 32, 8, 8]);
    expect([bias!.shape, bias!.values.length]).toEqual([[1, 1, 1, 128], 128]);
    expect(featureNumbers({ heads: 8, batch: 1, depth: 128 }, 1)).toEqual({});
    const tree = { heads: 8, batch: 2, depth: 128, positions: 4, features: ['tree' as const] };
    const masks = [0b0001n, 0b0011n, 0b0101n, 0b1011n];
    expect(featureNumbers(tree, 1)).toEqual({ treeMasks: [masks, masks] });
  });
});
