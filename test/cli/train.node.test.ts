// train.node.test.ts: `gqa train` and `gqa uptrain`: folders that other commands read, interrupts and full disks, and what they refuse.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { SafetensorsFile, writeSafetensors } from '../../src/checkpoint/format/file.ts';
import { readState, writeState } from '../../src/train/disk/trainingFolder.ts';
import { generatedText } from '../../src/train/text/generatedText.ts';
import { builtGqa } from '../support/builtGqa.ts';
import { gqaMain } from '../support/gqaMain.ts';
import { interruptAt } from '../support/interruptAt.ts';

const folder = mkdtempSync(join(tmpdir(), 'gqa-train-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());

const at = (...parts: string[]) => join(folder, ...parts);
/** An adapter of its own for what runs once; all else is on the machine's, whose driver keeps what it has compiled. */
const SWIFT = ['--adapter', 'swiftshader'];
const SIZES =
  '--layers 1 --dim 32 --heads 4 --feed-forward 32 --batch 4 --context 16 --steps 12 --held-out 0.2 --windows 64'.split(
    ' ',
  );
const MORE = ['--save-every', '5', '--save-type', 'bf16', '--lr', '0.01'];

/** A byte order mark, line ends of both kinds, a character of two UTF-16 units. */
const text = `${generatedText(2, 3000).replaceAll('\n', '\r\n')}\n🦙`;
const TEXT = at('text.txt');

const train = (out: string, ...more: string[]) => gqaMain('train', '--text', TEXT, '--out', out, ...more);
const uptrain = (out: string, ...more: string[]) =>
  gqaMain('uptrain', at('whole'), '--text', TEXT, '--out', out, ...more);

/** All files of a folder with their bytes. */
function bytesOf(path: string): Record<string, string> {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const file = join(parentPath, name);
      return [file.slice(path.length + 1), readFileSync(file).toString('base64')];
    }),
  );
}

async function metadataOf(path: string): Promise<Readonly<Record<string, string>>> {
  const file = await SafetensorsFile.open(join(path, 'model.safetensors'));
  await file.close();
  return file.header.metadata;
}

interface Trained {
  readonly steps: number;
  readonly heldOut: readonly { readonly step: number; readonly loss: number }[];
  readonly original: number;
  readonly control: number | null;
}

let whole: Trained;
beforeAll(async () => {
  writeFileSync(TEXT, `\u{feff}${text}`);
  const { out, err, code } = await train(at('whole'), ...SIZES, ...MORE, '-o', 'json');
  expect([code, err.includes('error')]).toEqual([undefined, false]);
  whole = JSON.parse(out) as Trained;
}, 60_000);

describe('gqa train', () => {
  test('writes a folder that generate and perplexity read, of the loss that it says', async () => {
    expect(readdirSync(at('whole')).toSorted()).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
      'training',
    ]);
    expect(whole.heldOut.map(({ step }) => step)).toEqual([0, 5, 10, 12]);
    const loss = whole.heldOut.at(-1)!.loss;
    expect(loss).toBeLessThan(whole.heldOut[0]!.loss - 0.3);
    const config = JSON.parse(readFileSync(at('whole', 'config.json'), 'utf8')) as object;
    expect(config).toMatchObject({ torch_dtype: 'bfloat16', num_key_value_heads: 4, hidden_size: 32 });
    const metadata = await metadataOf(at('whole'));
    expect(metadata).toMatchObject({ format: 'pt', 'gqa.train_steps': '12', 'gqa.text': 'text.txt' });
    const generated = await gqaMain('generate', at('whole'), '--prompt', 'The', '-n', '5', '--no-stop');
    expect(generated.code).toBeUndefined();
    expect(generated.out.length).toBeGreaterThan(3);
    const characters = Array.from(text);
    writeFileSync(at('end.txt'), characters.slice(-Math.floor(characters.length * 0.2)).join(''));
    const args = ['--text', at('end.txt'), '--context', '16', '-ctk', 'f32', '-o', 'json'];
    const { out } = await gqaMain('perplexity', at('whole'), ...args);
    const { variants } = JSON.parse(out) as { variants: { nll: number }[] };
    expect(Math.abs(variants[0]!.nll - loss)).toBeLessThan(0.05);
  });

  test('interrupted, it saves; resumed, it ends with the very bytes of a run that was not', async () => {
    interruptAt('tokens/s');
    const ended = await train(at('resumed'), ...SIZES, ...MORE);
    expect(ended.code).toBe(130);
    expect(ended.out).toContain('7 of 12 steps are left, for --resume with the same --text and --out');
    expect((await metadataOf(at('resumed')))['gqa.train_steps']).toBe('5');
    vi.restoreAllMocks();
    const { code, out } = await train(at('resumed'), '--resume');
    expect(code).toBeUndefined();
    expect(out).toContain('7 steps of 4 x 16 tokens of text.txt');
    expect(bytesOf(at('resumed'))).toEqual(bytesOf(at('whole')));
  });

  test('interrupted before the first step, it leaves nothing', async () => {
    interruptAt('before the first step');
    const ended = await train(at('none'), ...SIZES);
    expect([ended.code, ended.out.includes('nothing saved')]).toEqual([130, true]);
    expect(readdirSync(folder)).not.toContain('none');
  });

  test('ended between a state and its weights, it is made whole by --resume', async () => {
    cpSync(at('whole'), at('half'), { recursive: true });
    for (const name of ['model.safetensors', 'config.json']) rmSync(at('half', name));
    expect((await train(at('half'), '--resume')).code).toBeUndefined();
    expect(bytesOf(at('half'))).toEqual(bytesOf(at('whole')));
  });

  test('what f16 cannot hold: said, and kept by --resume with another stored type', async () => {
    cpSync(at('whole'), at('wide'), { recursive: true });
    const { state, run } = await readState(at('wide'));
    state.parameters[0] = 1e5;
    await writeState(at('wide'), { state, run: { ...run, saveType: 'f16', adapter: 'a GPU' } });
    const failed = await train(at('wide'), '--resume');
    expect([failed.code, failed.err]).toEqual([
      1,
      expect.stringContaining('100000 is beyond what f16 holds; save it as bf16 or f32'),
    ]);
    expect(failed.err).toContain('the training was on "a GPU": on another device its bits are not those');
    const kept = await train(at('wide'), '--resume', '--save-type', 'f32');
    expect(kept.code).toBeUndefined();
    expect((await metadataOf(at('wide')))['gqa.command']).toContain('--save-type f32');
    expect((await readState(at('wide'))).run).toMatchObject({ saveType: 'f32' });
  });

  test(
    'a full disk at a save: the last checkpoint stays whole, and goes on with room',
    { timeout: 120_000 },
    async () => {
      interruptAt('tokens/s');
      // A vocabulary that makes the state large; all else is compiled already.
      writeFileSync(at('many.json'), JSON.stringify(Array.from({ length: 300 }, (_, i) => (i * i) % 30_000)));
      const go = (...more: string[]) =>
        gqaMain('train', '--tokens', at('many.json'), '--out', at('full'), ...more);
      await go(...SIZES, '--steps', '3', '--save-every', '1', '--windows', '2');
      vi.restoreAllMocks();
      const before = bytesOf(at('full'));
      // No file may grow past 2000 KiB, which is what a full disk looks like to a write; SwiftShader's own need less.
      const line = `trap '' XFSZ; ulimit -f 2000; exec "$0" "$@"`;
      const args = ['train', ...SWIFT, '--tokens', at('many.json'), '--out', at('full'), '--resume'];
      const { stderr, status } = spawnSync(
        'bash',
        ['-c', line, process.execPath, await builtGqa(), ...args],
        {
          encoding: 'utf8',
        },
      );
      expect(stderr).toMatch(/error: .*state\.safetensors.*EFBIG/);
      expect(status).toBe(1);
      expect(bytesOf(at('full'))).toEqual(before);
      expect((await go('--resume')).code).toBeUndefined();
      expect((await metadataOf(at('full')))['gqa.train_steps']).toBe('3');
    },
  );

  test("by another model's tokenizer, and by a list of tokens: the vocabulary is theirs", async () => {
    const few = '--layers 1 --dim 32 --heads 4 --batch 4 --context 16 --steps 2 --windows 4'.split(' ');
    expect((await train(at('told'), ...few, '--tokenizer', at('whole'))).code).toBeUndefined();
    expect(readFileSync(at('told', 'tokenizer.json'), 'utf8')).toBe(
      readFileSync(at('whole', 'tokenizer.json'), 'utf8'),
    );
    const vocabOf = (name: string) =>
      (JSON.parse(readFileSync(at(name, 'config.json'), 'utf8')) as { readonly vocab_size: number })
        .vocab_size;
    expect(vocabOf('told')).toBe(vocabOf('whole'));
    expect((await metadataOf(at('told')))['gqa.command']).toMatch(
      /^gqa train --text text\.txt --tokenizer whole --layers 1 /,
    );
    writeFileSync(at('ids.json'), JSON.stringify(Array.from({ length: 500 }, (_, i) => (i * i) % 23)));
    const listed = await gqaMain('train', ...few, '--tokens', at('ids.json'), '--out', at('listed'));
    expect(listed.code).toBeUndefined();
    expect(vocabOf('listed')).toBe(19);
    expect(readdirSync(at('listed'))).not.toContain('tokenizer.json');
    writeFileSync(at('bad.json'), '[]');
    const none = await gqaMain('train', '--tokens', at('bad.json'), '--out', at('bad'));
    expect(none.err).toContain('bad.json: expected at least one token, got none');
    writeFileSync(at('bad.json'), '[1, -2]');
    const bad = await gqaMain('train', '--tokens', at('bad.json'), '--out', at('bad'));
    expect([bad.code, bad.err]).toEqual([
      1,
      expect.stringContaining('expected tokens from 0 to 1048575, got -2'),
    ]);
  });

  test('a learning rate that is far too high: the step, exit code 1, and no folder', async () => {
    const { err, code } = await train(at('high'), ...SIZES, '--lr', '1e9', '--warmup', '0');
    expect(err).toMatch(/error: training: step \d+: .*expected finite numbers; a lower learning rate/);
    expect(code).toBe(1);
    expect(readdirSync(folder)).not.toContain('high');
  });

  test.each([
    ['a folder that is not empty', ['--out', at('whole')], 'is there already, and not empty'],
    ['an option on --resume', ['--out', at('whole'), '--resume', '--lr', '1'], '--lr: --resume goes on with'],
    [
      'another text on --resume',
      ['--out', at('whole'), '--resume', '--text', at('other.txt')],
      'begun on another text',
    ],
    ['--resume of nothing', ['--out', at('nothing'), '--resume'], 'state.safetensors'],
    [
      'a text of no character',
      ['--out', at('x'), '--text', at('empty.txt')],
      'expected at least one character',
    ],
    [
      'a text that is too short',
      ['--out', at('x'), '--text', at('other.txt')],
      'expected more than 64 tokens',
    ],
    [
      'bytes that are no text',
      ['--out', at('x'), '--text', at('whole', 'model.safetensors')],
      'expected UTF-8',
    ],
    [
      'a checkpoint that the disk has no room for',
      ['--out', at('x'), '--layers', '60', '--dim', '65536', '--heads', '1024', '--feed-forward', '8'],
      'a checkpoint takes 15',
    ],
    [
      'heads that do not divide',
      ['--out', at('x'), '--dim', '32', '--heads', '5'],
      'a multiple of the heads',
    ],
  ])('%s is refused', async (_, args, message) => {
    writeFileSync(at('other.txt'), 'a text');
    writeFileSync(at('empty.txt'), '');
    const before = bytesOf(at('whole'));
    const { err, code } = await gqaMain(
      'train',
      ...(args.includes('--text') ? [] : ['--text', TEXT]),
      ...args,
    );
    expect(err).toContain(message);
    expect(code).toBe(1);
    expect(bytesOf(at('whole'))).toEqual(before);
    expect(readdirSync(folder)).not.toContain('x');
  });
});

describe('gqa uptrain', () => {
  const ARGS = [
    '--windows',
    '64',
    '--held-out',
    '0.2',
    '--kv-heads',
    '1',
    '--alpha',
    '1',
    '--lr',
    '0.005',
    '--distill',
    '--control',
    '-o',
    'json',
  ];

  test('merges and trains on: a folder of one KV head, losses, where it comes from; resumed, the same bytes', async () => {
    const { out, err, code } = await uptrain(at('mqa'), ...ARGS);
    expect(code).toBeUndefined();
    expect(err).toMatch(/steps {4}12: 1 of 12/);
    const { heldOut, original, control } = JSON.parse(out) as Trained;
    expect(heldOut.map(({ step }) => step)).toEqual([0, 12]);
    expect(heldOut[1]!.loss).toBeLessThan(heldOut[0]!.loss);
    expect(Math.abs(original - whole.heldOut.at(-1)!.loss)).toBeLessThan(0.01);
    expect(control).toBeLessThan(original);
    const config = JSON.parse(readFileSync(at('mqa', 'config.json'), 'utf8')) as object;
    expect(config).toMatchObject({ num_key_value_heads: 1, num_attention_heads: 4 });
    const metadata = await metadataOf(at('mqa'));
    expect(metadata).toMatchObject({
      'gqa.uptrain_steps': '12',
      'gqa.source': 'whole',
      'gqa.method': 'mean',
    });
    const run = await gqaMain('generate', at('mqa'), '--prompt', 'The', '-n', '3', '--no-stop');
    expect(run.code).toBeUndefined();
    interruptAt('tokens/s');
    expect((await uptrain(at('mqa2'), ...ARGS)).code).toBe(130);
    vi.restoreAllMocks();
    const resumed = await uptrain(at('mqa2'), '--resume', '-o', 'json');
    expect((JSON.parse(resumed.out) as Trained).control).toBe(control);
    expect(bytesOf(at('mqa2'))).toEqual(bytesOf(at('mqa')));
  });

  test('a table says what became of the original, and of the control; a long context is named', async () => {
    const longer = ['--context', '20', '--held-out', '0.2', '--windows', '64'];
    const { out, err } = await uptrain(
      at('table'),
      '--kv-heads',
      '1',
      '--alpha',
      '0.1',
      '--control',
      ...longer,
    );
    expect(err).toContain('contexts of 20 are longer than the 16 positions that config.json has');
    expect(out).toMatch(/\| original +\| +0 \|[\s\S]*1 KV head \(mean\)[\s\S]*original, trained on/);
    expect(out).toContain('alpha 0.1 of 12 steps');
  });

  test.each([
    [['--alpha', '0'], 'expected a share above 0 and at most 1'],
    [['--alpha', '2'], '--alpha'],
    [['--kv-heads', '3'], '3'],
  ])('%j is refused', async (args, message) => {
    const { err, code } = await uptrain(at('y'), '--kv-heads', '2', ...args);
    expect(err).toContain(message);
    expect(code).toBe(1);
    expect(readdirSync(folder)).not.toContain('y');
  });

  test('a checkpoint that does not say its steps, one with a NaN, and a family without a backward pass are refused by name', async () => {
    cpSync(at('whole'), at('bare'), { recursive: true });
    const file = await SafetensorsFile.open(at('whole', 'model.safetensors'));
    const names = [...file.header.tensors.keys()];
    const tensors = await Promise.all(
      names.map(async (name) => ({ name, dtype: 'F32' as const, ...(await file.readFloat32(name)) })),
    );
    await file.close();
    await writeSafetensors(at('bare', 'model.safetensors'), tensors, { format: 'pt' });
    const ARGS_OF = ['--text', TEXT, '--kv-heads', '1', '--out', at('z')];
    const bare = await gqaMain('uptrain', at('bare'), ...ARGS_OF);
    tensors.find(({ name }) => name.endsWith('up_proj.weight'))!.data[7] = NaN;
    await writeSafetensors(at('bare', 'model.safetensors'), tensors, { format: 'pt' });
    const spoilt = await gqaMain('uptrain', at('bare'), ...ARGS_OF, '--base-steps', '12');
    expect(spoilt.err).toContain(
      'error: tensor "model.layers.0.mlp.up_proj.weight": has NaN; expected finite numbers to train',
    );
    expect(bare.err).toContain(
      'metadata does not say how many steps it was trained for: expected --base-steps N',
    );
    cpSync(fileURLToPath(new URL('../checkpoint/model/families/qwen3', import.meta.url)), at('qwen3'), {
      recursive: true,
    });
    cpSync(at('whole', 'tokenizer.json'), at('qwen3', 'tokenizer.json'));
    const qwen = await gqaMain('uptrain', at('qwen3'), ...ARGS_OF);
    expect(qwen.err).toContain(
      'a model of type "qwen3" cannot be trained: there is no backward pass of norms of queries and keys',
    );
    expect([bare.code, spoilt.code, qwen.code]).toEqual([1, 1, 1]);
    expect(readdirSync(folder)).not.toContain('z');
  });
});
