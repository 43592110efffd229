// presets.test.ts: every preset against published figures, and the finding of presets by name.
import { describe, expect, it } from 'vitest';
import { GqaError } from '../../src/device/errors.ts';
import { halves, kvBytesPerToken, kvCacheBytes } from '../../src/models/kvBytes.ts';
import { countLayers, withKvHeads } from '../../src/models/kvLayers.ts';
import { findPreset, isPreset, nearestPresets, PRESETS } from '../../src/models/presets.ts';

type Figures = readonly [
  name: string,
  bytesPerToken: number,
  mhaBytesPerToken: number,
  at8k: string,
  at32k: string,
  full8k?: string,
  full32k?: string,
];

// f16 caches. Copied figures, not computed here: they were worked out apart from this code, in binary units rounded
// to three decimals. "full" is the cache if local layers kept every token.
const FIGURES: readonly Figures[] = [
  ['t5-v1.1-large', 98_304, 98_304, '768 MiB', '3 GiB'],
  ['t5-v1.1-xxl', 393_216, 393_216, '3 GiB', '12 GiB'],
  ['t5-xxl-gqa-8', 49_152, 393_216, '384 MiB', '1.5 GiB'],
  ['t5-xxl-mqa', 6_144, 393_216, '48 MiB', '192 MiB'],
  ['shazeer-wmt-mha', 24_576, 24_576, '192 MiB', '768 MiB'],
  ['llama-2-7b', 524_288, 524_288, '4 GiB', '16 GiB'],
  ['llama-2-13b', 819_200, 819_200, '6.25 GiB', '25 GiB'],
  ['llama-2-70b', 327_680, 2_621_440, '2.5 GiB', '10 GiB'],
  ['llama-3-8b', 131_072, 524_288, '1 GiB', '4 GiB'],
  ['llama-3.1-8b', 131_072, 524_288, '1 GiB', '4 GiB'],
  ['llama-3-70b', 327_680, 2_621_440, '2.5 GiB', '10 GiB'],
  ['llama-3.1-70b', 327_680, 2_621_440, '2.5 GiB', '10 GiB'],
  ['llama-3.1-405b', 516_096, 8_257_536, '3.938 GiB', '15.75 GiB'],
  ['llama-3.2-1b', 32_768, 131_072, '256 MiB', '1 GiB'],
  ['llama-3.2-3b', 114_688, 344_064, '896 MiB', '3.5 GiB'],
  ['tinyllama-1.1b', 22_528, 180_224, '176 MiB', '704 MiB'],
  ['mistral-7b-v0.1', 131_072, 524_288, '512 MiB', '512 MiB', '1 GiB', '4 GiB'],
  ['mistral-7b-v0.3', 131_072, 524_288, '1 GiB', '4 GiB'],
  ['mixtral-8x7b', 131_072, 524_288, '1 GiB', '4 GiB'],
  ['falcon-7b', 8_192, 581_632, '64 MiB', '256 MiB'],
  ['gemma-2b', 18_432, 147_456, '144 MiB', '576 MiB'],
  ['gemma-2-2b', 106_496, 212_992, '624 MiB', '1.828 GiB', '832 MiB', '3.25 GiB'],
  ['gemma-2-9b', 344_064, 688_128, '1.969 GiB', '5.906 GiB', '2.625 GiB', '10.5 GiB'],
  ['gemma-2-27b', 376_832, 753_664, '2.156 GiB', '6.469 GiB', '2.875 GiB', '11.5 GiB'],
  ['gemma-3-270m', 18_432, 73_728, '31.5 MiB', '103.5 MiB', '144 MiB', '576 MiB'],
  ['gemma-3-1b', 26_624, 106_496, '43 MiB', '139 MiB', '208 MiB', '832 MiB'],
  ['gemma-3-4b', 139_264, 278_528, '276 MiB', '756 MiB', '1.062 GiB', '4.25 GiB'],
  ['gemma-3-12b', 393_216, 786_432, '832 MiB', '2.312 GiB', '3 GiB', '12 GiB'],
  ['gemma-3-27b', 507_904, 1_015_808, '1.031 GiB', '2.906 GiB', '3.875 GiB', '15.5 GiB'],
  ['qwen2.5-0.5b', 12_288, 86_016, '96 MiB', '384 MiB'],
  ['qwen2.5-1.5b', 28_672, 172_032, '224 MiB', '896 MiB'],
  ['qwen2.5-3b', 36_864, 294_912, '288 MiB', '1.125 GiB'],
  ['qwen2.5-7b', 57_344, 401_408, '448 MiB', '1.75 GiB'],
  ['qwen2.5-14b', 196_608, 983_040, '1.5 GiB', '6 GiB'],
  ['qwen2.5-72b', 327_680, 2_621_440, '2.5 GiB', '10 GiB'],
  ['qwen3-0.6b', 114_688, 229_376, '896 MiB', '3.5 GiB'],
  ['qwen3-1.7b', 114_688, 229_376, '896 MiB', '3.5 GiB'],
  ['qwen3-4b', 147_456, 589_824, '1.125 GiB', '4.5 GiB'],
  ['qwen3-8b', 147_456, 589_824, '1.125 GiB', '4.5 GiB'],
  ['qwen3-14b', 163_840, 819_200, '1.25 GiB', '5 GiB'],
  ['qwen3-32b', 262_144, 2_097_152, '2 GiB', '8 GiB'],
  ['qwen3-30b-a3b', 98_304, 786_432, '768 MiB', '3 GiB'],
  ['qwen3-235b-a22b', 192_512, 3_080_192, '1.469 GiB', '5.875 GiB'],
  ['chatglm2-6b', 28_672, 458_752, '224 MiB', '896 MiB'],
  ['phi-3-mini-4k', 393_216, 393_216, '768 MiB', '768 MiB', '3 GiB', '12 GiB'],
  ['phi-4', 204_800, 819_200, '1.562 GiB', '6.25 GiB'],
  ['gpt-oss-20b', 49_152, 393_216, '195 MiB', '771 MiB', '384 MiB', '1.5 GiB'],
  ['gpt-oss-120b', 73_728, 589_824, '292.5 MiB', '1.129 GiB', '576 MiB', '2.25 GiB'],
  ['smollm2-135m', 23_040, 69_120, '180 MiB', '720 MiB'],
  ['smollm2-360m', 40_960, 122_880, '320 MiB', '1.25 GiB'],
  ['smollm2-1.7b', 196_608, 196_608, '1.5 GiB', '6 GiB'],
  ['nanochat-d12', 36_864, 36_864, '85.5 MiB', '301.5 MiB', '288 MiB', '1.125 GiB'],
  ['nanochat-d20', 102_400, 102_400, '237.5 MiB', '837.5 MiB', '800 MiB', '3.125 GiB'],
  ['nanochat-d32', 262_144, 262_144, '608 MiB', '2.094 GiB', '2 GiB', '8 GiB'],
  ['pythia-160m', 36_864, 36_864, '288 MiB', '1.125 GiB'],
  ['gpt-2', 36_864, 36_864, '288 MiB', '1.125 GiB'],
];

const UNITS: Readonly<Record<string, number>> = { MiB: 2 ** 20, GiB: 2 ** 30 };

/** How far `bytes` is from a figure like "1.828 GiB", in units of the figure's last decimal (up to 0.5 is rounding). */
function distance(bytes: number, figure: string): number {
  const [value, unit = ''] = figure.split(' ');
  return Math.abs(bytes / UNITS[unit]! - Number(value)) * 1000;
}

describe('presets', () => {
  it('has one set of figures for each preset, in the same order', () => {
    expect(PRESETS.map(({ name }) => name)).toEqual(FIGURES.map(([name]) => name));
    expect(new Set(PRESETS.map(({ name }) => name)).size).toBe(56);
  });

  for (const [name, perToken, mha, at8k, at32k, full8k, full32k] of FIGURES) {
    it(`${name} has the published cache size`, () => {
      const { kvLayers, numQHeads } = findPreset(name);
      expect(kvBytesPerToken(kvLayers, halves)).toBe(perToken);
      expect(kvBytesPerToken(withKvHeads(kvLayers, numQHeads), halves)).toBe(mha);
      const cache = (tokens: number, windowed: boolean) =>
        kvCacheBytes(kvLayers, tokens, 1, halves, { windowed });
      expect(distance(cache(8192, true), at8k)).toBeLessThan(0.501);
      expect(distance(cache(32768, true), at32k)).toBeLessThan(0.501);
      expect(distance(cache(8192, false), full8k ?? at8k)).toBeLessThan(0.501);
      expect(distance(cache(32768, false), full32k ?? at32k)).toBeLessThan(0.501);
      expect(countLayers(kvLayers, 'local') > 0).toBe(full8k !== undefined);
    });
  }

  it('has only shapes that grouped-query attention allows', () => {
    for (const preset of PRESETS) {
      expect([preset.name, preset.numQHeads % preset.numKvHeads]).toEqual([preset.name, 0]);
      expect(preset.source).not.toBe('');
      expect([preset.name, countLayers(preset.kvLayers, 'global', 'local')]).toEqual([
        preset.name,
        preset.layers,
      ]);
    }
  });

  it('has head dims that are not hidden size / heads', () => {
    expect(findPreset('qwen3-4b')).toMatchObject({ hiddenSize: 2560, numQHeads: 32, headDim: 128 });
    expect(findPreset('gpt-oss-20b')).toMatchObject({ hiddenSize: 2880, numQHeads: 64, headDim: 64 });
  });
});

describe('findPreset', () => {
  it('finds a name in any case, and keeps the name of an equal shape', () => {
    expect(findPreset('Llama-3.1-8B').name).toBe('llama-3.1-8b');
    expect(findPreset('llama-3.1-8b')).toEqual({ ...findPreset('llama-3-8b'), name: 'llama-3.1-8b' });
    expect(isPreset('QWEN3-4b')).toBe(true);
    expect(isPreset('qwen3')).toBe(false);
  });

  it('names what it was given and the nearest presets when there is none', () => {
    expect(() => findPreset('llama3-8b')).toThrow(GqaError);
    expect(() => findPreset('llama3-8b')).toThrow(
      /^findPreset: expected the name of a preset, got "llama3-8b"; nearest: llama-3-8b, /,
    );
  });

  it('counts two letters that changed places as one slip', () => {
    expect(nearestPresets('lalma-3.1-8b')[0]).toBe('llama-3.1-8b');
    expect(nearestPresets('pgt-2')[0]).toBe('gpt-2');
  });

  it('ranks near names by edits, takes a beginning for near, and ignores the owner', () => {
    expect(nearestPresets('gpt2')[0]).toBe('gpt-2');
    expect(nearestPresets('gemma-3').every((name) => name.startsWith('gemma-3-'))).toBe(true);
    expect(nearestPresets('Qwen/Qwen3-4B')[0]).toBe('qwen3-4b');
    expect(nearestPresets('mistral-7b-v0.2').slice(0, 2)).toEqual(['mistral-7b-v0.1', 'mistral-7b-v0.3']);
  });
});
