// convert.ts: measures `gqa convert` against `cp` of the same files on the same disk, and its peak memory.
//
//   npm run build && npm run bench:convert -- [--folder DIR] [--gib 4] [--rounds 5] [--method mean]
//
// Makes a sharded bf16 model of Llama-2-7B's layer shape in DIR (removed at the end), then runs `cp -r` and the built
// command in turn. Both are timed to their own end and with a `sync` behind them; the command syncs what it writes itself.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { serializeHeader, type TensorSpec } from '../../src/checkpoint/format/safetensors.ts';
import { formatBytes, markdownTable } from '../text/format.ts';
import { uniform } from '../../src/numbers/random.ts';
import { median } from '../schema/stats.ts';

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: tmpdir() },
    gib: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
    method: { type: 'string', default: 'mean' },
    'kv-heads': { type: 'string', default: '8' },
  },
});

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const [HIDDEN, FFN, VOCAB, HEADS] = [4096, 11008, 32000, 32];
const SHARD_BYTES = 2 ** 30;

function layer(n: number): TensorSpec[] {
  const at = `model.layers.${n}`;
  const tensor = (name: string, shape: number[]) =>
    ({ name: `${at}.${name}`, dtype: 'BF16', shape }) as const;
  return [
    tensor('input_layernorm.weight', [HIDDEN]),
    ...['gate_proj', 'up_proj'].map((x) => tensor(`mlp.${x}.weight`, [FFN, HIDDEN])),
    tensor('mlp.down_proj.weight', [HIDDEN, FFN]),
    tensor('post_attention_layernorm.weight', [HIDDEN]),
    ...['k', 'o', 'q', 'v'].map((x) => tensor(`self_attn.${x}_proj.weight`, [HIDDEN, HIDDEN])),
  ];
}

function bytesOf({ shape }: TensorSpec): number {
  return 2 * shape.reduce((a, b) => a * b, 1);
}

/** Tensors of a model of about so many bytes, in shards of about 1 GiB. */
function shardsOf(bytes: number): { layers: number; shards: TensorSpec[][] } {
  const ends: TensorSpec[] = ['model.embed_tokens.weight', 'lm_head.weight'].map((name) => ({
    name,
    dtype: 'BF16',
    shape: [VOCAB, HIDDEN],
  }));
  const perLayer = layer(0).reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  const layers = Math.max(1, Math.ceil((bytes - 2 * bytesOf(ends[0]!)) / perLayer));
  const all = [ends[0]!, ...Array.from({ length: layers }, (_, n) => layer(n)).flat(), ends[1]!];
  const shards: TensorSpec[][] = [[]];
  let size = 0;
  for (const tensor of all) {
    if (size + bytesOf(tensor) > SHARD_BYTES) {
      shards.push([]);
      size = 0;
    }
    shards.at(-1)!.push(tensor);
    size += bytesOf(tensor);
  }
  return { layers, shards };
}

/** bf16 numbers between 2^-7 and 2^-6 of either sign: like weights, and none that is not a number. */
function weights(count: number): Buffer {
  const next = uniform(7);
  const bits = Uint16Array.from(
    { length: count },
    () => 0x3c00 | (next() < 0.5 ? 0x8000 : 0) | (next() * 128),
  );
  return Buffer.from(bits.buffer);
}

function makeModel(folder: string, bytes: number): number {
  const { layers, shards } = shardsOf(bytes);
  const block = weights(2 ** 22);
  const weightMap: Record<string, string> = {};
  let total = 0;
  shards.forEach((tensors, i) => {
    const name = `model-${String(i + 1).padStart(5, '0')}-of-${String(shards.length).padStart(5, '0')}.safetensors`;
    const file = openSync(join(folder, name), 'w');
    writeSync(file, serializeHeader(tensors, { format: 'pt' }));
    for (const tensor of tensors) {
      weightMap[tensor.name] = name;
      for (let left = bytesOf(tensor); left > 0; left -= block.length)
        writeSync(file, block, 0, Math.min(left, block.length));
      total += bytesOf(tensor);
    }
    closeSync(file);
  });
  const config = {
    model_type: 'llama',
    hidden_size: HIDDEN,
    intermediate_size: FFN,
    num_attention_heads: HEADS,
    num_key_value_heads: HEADS,
    num_hidden_layers: layers,
    vocab_size: VOCAB,
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const index = { metadata: { total_size: total }, weight_map: weightMap };
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
  return total;
}

interface Run {
  /** Seconds to the end of the command, and to the end of a sync behind it. */
  readonly own: number;
  readonly synced: number;
  /** Largest resident set of the process in bytes. */
  readonly peak: number;
}

/** Runs a command to its end; watches the high-water mark of its memory in /proc. */
async function run(command: string, args: readonly string[], target: string): Promise<Run> {
  rmSync(target, { recursive: true, force: true });
  execFileSync('sync');
  const start = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  let peak = 0;
  const watch = setInterval(() => {
    try {
      const [, kib] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
      peak = Math.max(peak, Number(kib ?? 0) * 1024);
    } catch {
      // It has ended; the last value stands.
    }
  }, 20);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(watch);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${String(code)}`);
  const own = (performance.now() - start) / 1000;
  execFileSync('sync', ['-f', target]);
  return { own, synced: (performance.now() - start) / 1000, peak };
}

const folder = mkdtempSync(join(values.folder, 'gqa-bench-convert-'));
try {
  const [source, copy, result] = ['source', 'copy', 'result'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  execFileSync('mkdir', [source]);
  const bytes = makeModel(source, Number(values.gib) * 2 ** 30);
  const convert = [
    'convert',
    source,
    '--kv-heads',
    values['kv-heads'],
    '--method',
    values.method,
    '--out',
    result,
  ];
  const runs: { cp: Run; convert: Run }[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const both = {
      cp: () => run('cp', ['-r', source, copy], copy),
      convert: () => run(process.execPath, [CLI, ...convert], result),
    };
    // Which comes first changes from round to round: the second finds memory that the first has just left.
    const found: Partial<Record<keyof typeof both, Run>> = {};
    for (const name of round % 2 === 0 ? (['cp', 'convert'] as const) : (['convert', 'cp'] as const)) {
      found[name] = await both[name]();
      rmSync(name === 'cp' ? copy : result, { recursive: true });
    }
    runs.push({ cp: found.cp!, convert: found.convert! });
  }
  const gbps = (of: (round: (typeof runs)[number]) => number) =>
    (bytes / median(runs.map(of)) / 1e9).toFixed(2);
  const ratio = (of: (round: (typeof runs)[number]) => number) =>
    `${(100 * median(runs.map(of))).toFixed(0)} %`;
  const right = (title: string) => ({ title, align: 'right' }) as const;
  const columns = [
    { title: 'timed', align: 'left' } as const,
    right('cp, GB/s'),
    right('convert, GB/s'),
    right('convert / cp (median of rounds)'),
  ];
  process.stdout.write(
    `${[
      `${formatBytes(bytes)} of tensors, ${values.rounds} rounds, method ${values.method}, KV heads ${HEADS} -> ${values['kv-heads']}; GB/s of source bytes`,
      markdownTable(columns, [
        [
          'to its own end',
          gbps((r) => r.cp.own),
          gbps((r) => r.convert.own),
          ratio((r) => r.cp.own / r.convert.own),
        ],
        [
          'with sync',
          gbps((r) => r.cp.synced),
          gbps((r) => r.convert.synced),
          ratio((r) => r.cp.synced / r.convert.synced),
        ],
      ]),
      `peak memory of convert: ${formatBytes(Math.max(...runs.map((r) => r.convert.peak)))}; largest tensor ${formatBytes(2 * VOCAB * HIDDEN)}`,
      JSON.stringify({ bytes, runs }),
    ].join('\n')}\n`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
