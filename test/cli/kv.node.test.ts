// kv.node.test.ts: the `gqa kv` command as people run it: what it prints, what it refuses, and with which exit code.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerKv } from '../../cli/kv/kv.ts';
import { loadShape } from '../../cli/kv/loadShape.ts';
import { ggufBytes, SMALL_LLAMA } from '../support/gguf.ts';

interface Outcome {
  readonly out: string;
  readonly err: string;
  readonly exitCode: number;
}

/** Runs `gqa kv ...args` on a fresh program. */
async function gqaKv(...args: string[]): Promise<Outcome> {
  const outcome = { out: '', err: '', exitCode: 0 };
  const program = new Command('gqa').exitOverride().configureOutput({
    writeOut: (text) => void (outcome.out += text),
    writeErr: (text) => void (outcome.err += text),
  });
  registerKv(program);
  try {
    await program.parseAsync(['kv', ...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    outcome.exitCode = error.exitCode;
  }
  return outcome;
}

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-kv-'));
  const config = {
    hidden_size: 2560,
    num_attention_heads: 32,
    num_hidden_layers: 36,
    num_key_value_heads: 8,
    head_dim: 128,
  };
  mkdirSync(join(folder, 'model'));
  writeFileSync(join(folder, 'model', 'config.json'), JSON.stringify(config));
  mkdirSync(join(folder, 'empty'));
  writeFileSync(join(folder, 'broken.json'), '{"hidden_size": ');
  writeFileSync(join(folder, 'odd.json'), JSON.stringify({ ...config, num_key_value_heads: 7 }));
  writeFileSync(join(folder, 'weights.safetensors'), 'x');
  writeFileSync(join(folder, 'small.gguf'), ggufBytes(SMALL_LLAMA));
  writeFileSync(join(folder, 'cut.gguf'), ggufBytes(SMALL_LLAMA).subarray(0, 100));
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('gqa kv, text', () => {
  it('prints the shape, the worked formula, the table and the source of head_dim', async () => {
    expect(await gqaKv('llama-3.1-8b', '-d', '8192', '--gbps', '380')).toEqual({
      out: `llama-3.1-8b   32 layers · 32 query heads · 8 KV heads · head_dim 128 · f16 · batch 1
per token   2 (K,V) × 32 layers × 8 heads × 128 × 2 B = 131 072 B = 128 KiB

| variant   | depth | per token |   cache | sequences in 16 GiB | read floor at 380 GB/s |
| --------- | ----: | --------: | ------: | ------------------: | ---------------------: |
| mha (32)  | 8 192 |   512 KiB |   4 GiB |                   4 |                11.3 ms |
| gqa (8) ← | 8 192 |   128 KiB |   1 GiB |                  16 |                2.83 ms |
| mqa (1)   | 8 192 |    16 KiB | 128 MiB |                 128 |               0.353 ms |

head_dim 128 = hidden size / heads = 4096 / 32
shape from Lightning-AI/litgpt, litgpt/config.py
`,
      err: '',
      exitCode: 0,
    });
  });

  it('shows a windowed cache beside the full one, and adds K and V of different types', async () => {
    const { out } = await gqaKv('gemma-3-4b', '--cache-type-v', 'f32', '-b', '2', '--memory', '8');
    expect(out).toContain('head_dim 256 · K f16, V f32 · batch 2\n');
    expect(out).toContain(
      'per token   34 layers × 4 heads × (256 × 2 B of K + 256 × 4 B of V) = 208 896 B = 204 KiB\n',
    );
    expect(out).toContain('| variant   | depth | per token |     cache |      full | sequences in 8 GiB |');
    expect(out).toContain('| gqa (4) ← | 8 192 |   204 KiB |   828 MiB | 3.188 GiB |                 19 |');
    expect(out).toContain(
      '29 of 34 layers keep only the last 1 024 tokens; past that a token adds 30 720 B = 30 KiB',
    );
    expect(out).toContain("head_dim 256 from the model's config; not hidden size / heads = 2560 / 8 = 320");
  });

  it('has no window and no read floor where there is none, and 8192 tokens by default', async () => {
    const { out } = await gqaKv('falcon-7b');
    expect(out).toContain('· 71 query heads · 1 KV head ·');
    expect(out).toContain('| mqa (1) ← | 8 192 |     8 KiB |    64 MiB |                 256 |\n');
    expect(out).not.toMatch(/full|floor|gqa \(/);
  });

  it('stores V as K unless it is told otherwise', async () => {
    const { out } = await gqaKv('llama-3.1-8b', '--cache-type-k', 'int8');
    expect(out).toContain('· int8 · batch 1\n');
    expect((await gqaKv('llama-3.1-8b', '--cache-type-k', 'int8', '--cache-type-v', 'int8')).out).toBe(out);
    expect((await gqaKv('llama-3.1-8b', '--cache-type-v', 'int8')).out).toContain('· K f16, V int8 ·');
  });

  it('reads lengths with a suffix', async () => {
    expect((await gqaKv('gpt-2', '-d', '4k')).out).toBe((await gqaKv('gpt-2', '-d', '4096')).out);
    expect((await gqaKv('gpt-2', '--max-model-len', '1k-1M*1024')).out).toBe(
      (await gqaKv('gpt-2', '-d', '1024,1048576')).out,
    );
  });

  it('says what cross-attention keeps beside the table', async () => {
    // 24 layers * 2 * 16 heads * 64 * 2 B
    expect((await gqaKv('t5-v1.1-large')).out).toContain(
      'self-attention of the decoder only; cross-attention keeps 98 304 B = 96 KiB more for each token of the encoder',
    );
  });

  it('takes a shape by hand, at a range of depths', async () => {
    const { out } = await gqaKv(
      '--layers',
      '1',
      '--heads',
      '4',
      '--kv-heads',
      '2',
      '--head-dim',
      '8',
      '-d',
      '16-64*4',
      '--cache-type-k',
      'f32',
      '--cache-type-v',
      'f32',
    );
    expect(out).toContain('h4_kv2_d8   1 layer · 4 query heads · 2 KV heads · head_dim 8 · f32 · batch 1\n');
    expect(out).toContain('per token   2 (K,V) × 1 layer × 2 heads × 8 × 4 B = 128 B\n');
    expect(out).toMatch(/\| gqa \(2\) ← +\| +16 \| +128 B \| +2 KiB \|/);
    expect(out).toMatch(/\| gqa \(2\) ← +\| +64 \| +128 B \| +8 KiB \|/);
    expect(out.trimEnd().endsWith('head_dim 8 from --head-dim')).toBe(true);
  });

  it('counts the scales of quantised caches', async () => {
    // A row of 128 elements: 128 bytes and a scale of 2, or 64 bytes and four scales.
    const { out } = await gqaKv(
      'llama-3.1-8b',
      '--cache-type-k',
      'int8',
      '--cache-type-v',
      'int4',
      '-d',
      '8192',
    );
    expect(out).toContain(
      'per token   32 layers × 8 heads × (130 B (128 int8 with scales) of K + 72 B (128 int4 with scales) of V) = 51 712 B',
    );
    const { out: alike } = await gqaKv(
      'llama-3.1-8b',
      '--cache-type-k',
      'int8',
      '--cache-type-v',
      'int8',
      '-d',
      '8192',
    );
    expect(alike).toContain(
      'per token   2 (K,V) × 32 layers × 8 heads × 130 B (128 int8 with scales) = 66 560 B',
    );
  });

  it('lists every preset with its cache at each depth', async () => {
    const { out, exitCode } = await gqaKv('--list', '-d', '8192,32768');
    const lines = out.trimEnd().split('\n');
    expect(exitCode).toBe(0);
    expect(lines).toHaveLength(2 + 56);
    expect(lines[0]).toMatch(/\| per token \| +at 8 192 \| at 32 768 \|$/);
    expect(lines).toContain(
      '| gemma-2-2b      |     26 |        8/4 |     2 |      256 |      13 (4096) |   104 KiB |   624 MiB | 1.828 GiB |',
    );
  });
});

describe('gqa kv, files', () => {
  it('reads a config.json and a folder alike, and says which rule gave what', async () => {
    const path = join(folder, 'model', 'config.json');
    const { out } = await gqaKv(path);
    expect((await gqaKv(join(folder, 'model'))).out).toBe(out);
    expect(out.startsWith(`${path}   36 layers · 32 query heads · 8 KV heads · head_dim 128`)).toBe(true);
    expect(out).toContain('= 147 456 B = 144 KiB\n');
    expect(out).toContain(
      'head_dim 128 from "head_dim"; not hidden_size / num_attention_heads = 2560 / 32 = 80\n',
    );
    expect(await loadShape(path)).toMatchObject({ layers: 36, numKvHeads: 8 });
  });

  it('reads the header of a GGUF file', async () => {
    const { out, exitCode } = await gqaKv(join(folder, 'small.gguf'), '-d', '2048');
    expect(out).toContain('30 layers · 9 query heads · 3 KV heads · head_dim 64 · f16');
    expect(out).toContain('= 23 040 B = 22.5 KiB\n');
    expect(out).toContain(
      'head_dim 64 = llama.embedding_length / llama.attention.head_count = 576 / 9 ("llama.attention.key_length" absent)',
    );
    expect(exitCode).toBe(0);
  });

  /** What `gqa kv` says of a config.json with this text. */
  function ofConfig(text: string, ...args: string[]): Promise<Outcome> {
    const path = join(folder, 'given.json');
    writeFileSync(path, text);
    return gqaKv(path, ...args);
  }

  it('reads what Python writes: a byte order mark, NaN and Infinity', async () => {
    const sizes =
      '"hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8';
    const { out, exitCode } = await ofConfig(`\uFEFF{${sizes}, "rope_scale": Infinity, "x": [NaN]}`);
    expect([out.includes('= 131 072 B = 128 KiB'), exitCode]).toEqual([true, 0]);
    expect((await ofConfig(`{${sizes}, "num_key_value_heads": 4}`)).err).toContain(
      'got "num_key_value_heads" twice',
    );
    expect((await ofConfig(`{${sizes}, "head_dim": Infinity}`)).err).toContain('got Infinity');
  });

  it('says what the layers keep where they differ', async () => {
    const config = {
      model_type: 'gemma3n_text',
      hidden_size: 2048,
      num_attention_heads: 8,
      num_hidden_layers: 35,
      sliding_window: 512,
    };
    const { out } = await ofConfig(JSON.stringify(config), '-d', '8192');
    expect(out).toContain('35 layers · 8 query heads · 2 KV heads · head_dim 256');
    // 20 layers * 2 * 2 heads * 256 * 2 B; of them 4 keep 8,192 tokens and 16 keep 512, 2,048 B each.
    expect(out).toContain('per token   2 (K,V) × 20 layers × 2 heads × 256 × 2 B = 40 960 B = 40 KiB');
    expect(out).toContain('| gqa (2) ← | 8 192 |    40 KiB |  80 MiB |  320 MiB |');
    expect(out).toContain(
      '16 of 35 layers keep only the last 512 tokens; past that a token adds 8 192 B = 8 KiB',
    );
    expect(out).toContain('15 of 35 layers use the cache of another layer');
  });

  it('writes one term for each kind of heads', async () => {
    const config = {
      hidden_size: 4096,
      num_attention_heads: 32,
      num_hidden_layers: 4,
      num_key_value_heads_per_layer: [4, 4, 2, 1],
    };
    const { out } = await ofConfig(JSON.stringify(config), '-d', '1k');
    expect(out).toContain('32 query heads · up to 4 KV heads ·');
    expect(out).toContain(
      '2 (K,V) × (2 layers × 4 heads × 128 × 2 B + 1 layer × 2 heads × 128 × 2 B + 1 layer × 1 head × 128 × 2 B) = 5 632 B',
    );
  });

  it('says that an encoder has no KV cache', async () => {
    const { out, err, exitCode } = await ofConfig('{"model_type": "bert"}');
    expect([out, err, exitCode]).toEqual([
      '',
      `error: ${join(folder, 'given.json')}: bert is an encoder and keeps no KV cache\n`,
      1,
    ]);
  });

  it.each([
    ['cut.gguf', /cut\.gguf: expected a header of \d+ bytes, got a file of 100/],
    ['empty', /empty[\\/]config\.json: expected a readable JSON file: ENOENT/],
    ['broken.json', /broken\.json: expected a JSON file, got text that is not JSON: .*JSON/],
    ['odd.json', /odd\.json: num_attention_heads \(32\) must be a multiple of num_key_value_heads \(7\)/],
    [
      'weights.safetensors',
      /expected a config\.json, a folder that contains one, or a GGUF file, got ".*weights\.safetensors"/,
    ],
  ])('refuses %s', async (name, message) => {
    const { out, err, exitCode } = await gqaKv(join(folder, name));
    expect(err).toMatch(message);
    expect([out, exitCode]).toEqual(['', 1]);
  });
});

describe('gqa kv, JSON', () => {
  const expected = {
    shape: { name: 'gpt-2', layers: 12, hiddenSize: 768, numQHeads: 12, numKvHeads: 12, headDim: 64 },
    typeK: 'f16',
    typeV: 'f16',
    batch: 4,
    memoryGiB: 0.5,
    rows: [
      {
        variant: 'mha',
        configured: true,
        numKvHeads: 12,
        depth: 1024,
        bytesPerToken: 36_864,
        cacheBytes: 150_994_944,
        fullBytes: 150_994_944,
        sequences: 14,
      },
      {
        variant: 'mqa',
        configured: false,
        numKvHeads: 1,
        depth: 1024,
        bytesPerToken: 3072,
        cacheBytes: 12_582_912,
        fullBytes: 12_582_912,
        sequences: 170,
      },
    ],
  };

  it('is the report, under either name of each option', async () => {
    const long = await gqaKv(
      'gpt-2',
      '--max-model-len',
      '1024',
      '--batch-size',
      '4',
      '--memory',
      '.5',
      '--json-output',
    );
    const short = await gqaKv('gpt-2', '-d', '1024', '-b', '4', '--memory', '0.5', '-o', 'json');
    expect(JSON.parse(long.out)).toMatchObject(expected);
    expect(short).toEqual(long);
  });

  it('has the shape of every preset for --list', async () => {
    const presets: unknown = JSON.parse((await gqaKv('--list', '-o', 'json')).out);
    expect(presets).toHaveLength(56);
    expect(presets).toContainEqual({
      name: 'gpt-oss-20b',
      layers: 24,
      hiddenSize: 2880,
      numQHeads: 64,
      numKvHeads: 8,
      headDim: 64,
      kvLayers: [
        { kind: 'global', count: 12, numKvHeads: 8, headDim: 64 },
        { kind: 'local', count: 12, numKvHeads: 8, headDim: 64, window: 128 },
      ],
      source: 'openai/gpt-oss, gpt_oss/torch/model.py',
    });
  });
});

describe('gqa kv, usage errors', () => {
  it.each([
    [['qwen3-5b'], 'error: no preset, file or folder is called "qwen3-5b"; nearest presets: qwen3-4b, '],
    [[], 'error: expected a model (gqa kv --list) or --layers --heads --kv-heads --head-dim, got neither'],
    [
      ['gpt-2', '--heads', '8'],
      'error: expected a model or a shape by hand, got both: "gpt-2" and options of a shape',
    ],
    [['--layers', '2', '--heads', '8'], 'error: a shape by hand also needs --kv-heads --head-dim'],
    [
      ['--layers', '2', '--heads', '30', '--kv-heads', '8', '--head-dim', '64'],
      'error: --heads (30) must be a multiple of --kv-heads (8)',
    ],
    [['--layers', '1000000'], 'expected a whole number from 1 to 10000, got "1000000"'],
    [
      ['gpt-2', '--cache-type-k', 'q4'],
      "argument 'q4' is invalid. Allowed choices are f32, f16, bf16, int8, int4.",
    ],
    [['gpt-2', '-o', 'csv'], "argument 'csv' is invalid. Allowed choices are md, json."],
    [['gpt-2', '--bogus'], "error: unknown option '--bogus'"],
    [['gpt-2', 'llama-2-7b'], 'too many arguments'],
    [['gpt-2', '-d', '0'], 'expected a positive whole number'],
    [['gpt-2', '-d', '9-3'], 'expected an ascending range, got "9-3"'],
    [['gpt-2', '-b', '1.5'], 'got "1.5"'],
    [['gpt-2', '--gbps', '0'], 'expected a number above 0, got "0"'],
    [['gpt-2', '--gbps', '1e3'], 'expected a number above 0, got "1e3"'],
    [['gpt-2', '--memory', 'all'], 'expected a number above 0, got "all"'],
    [['gpt-2', '-d', '8', '--max-model-len', '9'], "cannot be used with option '-d, --depth <list>'"],
    [['gpt-2', '-b', '8', '--batch-size', '9'], "cannot be used with option '-b, --batch <n>'"],
    [['gpt-2', '-d', '9007199254740991'], 'error: kvCacheBytes: expected fewer than 2^53 bytes'],
  ])('%j', async (args, message) => {
    const { out, err, exitCode } = await gqaKv(...args);
    expect(err).toContain(message);
    expect([out, exitCode]).toEqual(['', 1]);
  });
});
