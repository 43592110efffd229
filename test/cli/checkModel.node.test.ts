// checkModel.node.test.ts: `gqa check --model`: what it prints, what it exits with, and what it refuses.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { ModelCheck, RowsError } from '../../bench/check/checkModel.ts';
import { checkModelText } from '../../cli/model/checkModelReport.ts';
import type { ModelFiles, ModelSpec } from '../../src/models.ts';
import { gqaMain } from '../support/gqaMain.ts';
import { tinyModel, tinyT5 } from '../support/tinyModel.ts';

const MODEL = fileURLToPath(new URL('../checkpoint/model/families/llama', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'gqa-check-'));
afterAll(() => rmSync(folder, { recursive: true }));

const T5 = fileURLToPath(new URL('../checkpoint/model/families/t5_v11', import.meta.url));

/** Writes a model's files into a folder of their own. */
async function written(name: string, files: ModelFiles): Promise<string> {
  const path = join(folder, name);
  mkdirSync(path);
  for (const [file, blob] of Object.entries(files as Record<string, Blob>)) {
    writeFileSync(join(path, file), new Uint8Array(await blob.arrayBuffer()));
  }
  return path;
}

const ON = ['--adapter', 'swiftshader'];

describe('gqa check --model', () => {
  test('shows the error of every layer, and exits with 0', { timeout: 60_000 }, async () => {
    const { out, code } = await gqaMain('check', '--model', MODEL, ...ON, '-n', '3');
    expect(code).toBe(0);
    expect(out).toMatch(/check of .*llama on "SwiftShader.*\nllama, 3 layers; .*KV cache f16; 16 tokens/);
    expect(out).toMatch(/\| embedding [\s\S]*\| layer 0 [\s\S]*\| layer 2 [\s\S]*\| logits /);
    expect(out).toMatch(/\nok: all within the bounds .*\ngreedy tokens: 3 of 3 as the twin chooses\n$/);
  });

  test('gives the same as JSON, of variants side by side', { timeout: 60_000 }, async () => {
    const types = ['--weight-type', 'int8', '-ctk', 'int4', '-ctv', 'f16'];
    const args = ['-n', '2', '--tokens', '1,2,3', '--kv-heads', '2,1', '--method', 'pca', '-o', 'json'];
    const { out, code } = await gqaMain('check', '-m', MODEL, ...ON, ...types, ...args);
    expect(code).toBe(0);
    const report = JSON.parse(out) as {
      software: boolean;
      variants: (ModelCheck & { kvHeads: number; method: string | null })[];
    };
    expect(report).toMatchObject({
      software: true,
      weightType: 'int8',
      cacheTypeK: 'int4',
      cacheTypeV: 'f16',
    });
    expect(report.variants.map(({ kvHeads, method }) => [kvHeads, method])).toEqual([
      [2, null],
      [1, 'pca'],
    ]);
    for (const { pass, prompt, chosen, layers, logits } of report.variants) {
      expect(pass).toBe(true);
      expect(prompt).toEqual([1, 2, 3]);
      expect(chosen).toHaveLength(2);
      expect(layers.map(({ layer }) => layer)).toEqual(['embedding', 0, 1, 2]);
      expect(logits.error).toBeGreaterThan(0);
    }
  });

  test(
    'exits with 1 where a model comes to no numbers, and says from where on',
    { timeout: 60_000 },
    async () => {
      const files = tinyModel({}, (name, values) => {
        if (name.endsWith('down_proj.weight')) values[5] = NaN;
      });
      const { out, code } = await gqaMain(
        'check',
        '--model',
        await written('llama', files),
        ...ON,
        '-n',
        '2',
      );
      expect(code).toBe(1);
      expect(out).toMatch(/\| embedding .* 0 %[\s\S]*\| layer 0 +\| +no number /);
      expect(out).toMatch(/\nFAILED: layer 0 is beyond its bound, and 1 more behind it/);
      expect(out).toMatch(/\nno greedy tokens: a logit is not finite\n$/);
    },
  );

  test('has rows of the encoder and of the decoder', { timeout: 60_000 }, async () => {
    const { out, code } = await gqaMain('check', '--model', T5, ...ON, '-n', '3', '--tokens', '5,6,7,1');
    expect(code).toBe(0);
    expect(out).toContain('t5, 3 layers of the encoder and 2 of the decoder; weights as');
    expect(out).toContain('4 tokens of a source, 3 greedy tokens behind the start token\n');
    expect(out).toMatch(/\| of bound \| its K \| its V \| its cross K \| its cross V \|\n/);
    expect(out).toMatch(/\n\| encoder embedding .* 0 % \|( +\|){4}\n\| encoder layer 0 /);
    expect(out).toMatch(/\n\| encoder layer 2 .*( +\d+ % \|){3}( +\|){2}\n\| decoder embedding /);
    expect(out).toMatch(/\n\| decoder layer 1 .*( +\d+ % \|){5}\n\| logits /);
    expect(out).toMatch(/\nok: all within the bounds .*\ngreedy tokens: 3 of 3 as the twin chooses\n$/);
  });

  test('says which stack a fault is in', { timeout: 60_000 }, async () => {
    const files = tinyT5((name, values) => {
      if (name === 'encoder.block.0.layer.1.DenseReluDense.wo.weight') values[5] = NaN;
    });
    const model = await written('t5', files);
    const { out, code } = await gqaMain('check', '--model', model, ...ON, '-n', '2', '-o', 'json');
    expect(code).toBe(1);
    const report = JSON.parse(out) as { model: object; variants: ModelCheck[] };
    expect(report.model).toMatchObject({ type: 't5', encoderLayers: 1, layers: 1 });
    const [check] = report.variants;
    expect(check!.layers.map(({ stack, layer, pass }) => `${stack} ${layer} ${pass}`)).toEqual([
      'encoder embedding true',
      'encoder 0 false',
      'decoder embedding true',
      'decoder 0 false',
    ]);
    expect(check!.layers[3]).toMatchObject({ k: { pass: true }, crossK: { pass: false } });
    expect(check!.chosen).toEqual([]);
  });

  test.each([
    ['--quick', ['--model', MODEL, '--quick']],
    ['--full', ['--model', MODEL, '--full']],
    ['--case <text>', ['--model', MODEL, '--case', 'x']],
    ['--kernel <list>', ['--model', MODEL, '--kernel', 'tiles']],
  ])('refuses %s beside it', async (flag, args) => {
    const { err, code } = await gqaMain('check', ...args);
    expect(code).toBe(1);
    expect(err).toContain(`option '-m, --model <name>' cannot be used with option '${flag}'`);
  });

  test.each([
    ['--tokens', '1,2'],
    ['--prompt', 'a'],
    ['--max-tokens', '4'],
    ['--cache-type-k', 'f16'],
    ['--chunk', '4'],
  ])('refuses %s without it', async (flag, value) => {
    const { err, code } = await gqaMain('check', flag, value);
    expect(code).toBe(1);
    expect(err).toContain(`${flag}: expected --model beside it`);
  });

  test.each([
    [
      'a token outside of the vocabulary',
      ['--tokens', '3,97'],
      /--tokens: token 1: expected .* below the vocabulary's 97, got 97/,
    ],
    ['text where there is no tokenizer', ['--prompt', 'a'], /tokenizer\.json: cannot be read.*give tokens/],
  ])('refuses %s', async (_, args, message) => {
    const { out, err, code } = await gqaMain('check', '--model', MODEL, ...args);
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(out).toBe('');
  });
});

describe('the report', () => {
  const rows = (error: number): RowsError => ({ error, largest: 4, bound: 1e-5, pass: error <= 1e-5 });
  const LLAMA = { type: 'llama', layers: [{}] } as unknown as ModelSpec;
  const textOf = (check: Partial<ModelCheck>, spec = LLAMA) =>
    checkModelText({
      folder: './m',
      spec,
      flags: { cacheTypeK: 'f32' },
      found: {
        gpu: {} as GPU,
        webgpu: 'dawn',
        origin: 'gpu',
        adapterName: 'Card',
        software: false,
        notes: [],
      },
      variants: [
        {
          kvHeads: 1,
          seconds: 1,
          pass: false,
          prompt: [1],
          chosen: [4, 5],
          layers: [{ stack: 'decoder', layer: 'embedding', ...rows(0) }],
          logits: rows(1e-6),
          ...check,
        },
      ],
    });

  test('names the first that is beyond its bound', () => {
    const layers: ModelCheck['layers'] = [
      { stack: 'decoder', layer: 'embedding', ...rows(0) },
      { stack: 'decoder', layer: 0, ...rows(2e-3), k: rows(1e-5), v: rows(1.1e-5) },
    ];
    const text = textOf({ layers, logits: rows(1) });
    expect(text).toContain('FAILED: V of layer 0 is beyond its bound, and 2 more behind it');
    expect(text).not.toContain('cross');
    expect(text).toMatch(/\| layer 0 +\| +2\.0e-3 \| +5\.0e-4 \| 1\.0e-5 \| +20000 % \| 100 % \| 110 % \|/);
  });

  test('names the stack where there are two', () => {
    const layers: ModelCheck['layers'] = [
      { stack: 'encoder', layer: 'embedding', ...rows(0) },
      { stack: 'decoder', layer: 0, ...rows(0), k: rows(0), v: rows(0), crossK: rows(0), crossV: rows(1) },
    ];
    const spec = { type: 't5', layers: [{}], encoder: { layers: [{}] } } as unknown as ModelSpec;
    const text = textOf({ layers }, spec);
    expect(text).toContain('t5, 1 layer of the encoder and 1 of the decoder;');
    expect(text).toMatch(/\n\| encoder embedding /);
    expect(text).toMatch(/\nFAILED: cross V of decoder layer 0 is beyond its bound \(/);
  });

  test('tells a tie from a fault', () => {
    const divergence = { at: 1, device: 5, twin: 9, gap: 1e-6 };
    const tie = textOf({ pass: true, divergence: { ...divergence, tie: true } });
    expect(tie).toContain('ok: ');
    expect(tie).toContain('number 2 is 5 where the twin has 9, by 1.0e-6 of its logits: a tie');
    const fault = textOf({ divergence: { ...divergence, gap: 1, tie: false } });
    expect(fault).toContain('FAILED: a token that is not the likeliest was chosen');
    expect(fault).toContain('by 1.0e+0 of its logits: more than the errors make up for');
  });
});
