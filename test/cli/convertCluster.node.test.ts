// convertCluster.node.test.ts: conversion by shards: the files under examples/cluster, run as processes of this machine.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { builtGqa } from '../support/builtGqa.ts';
import { noise, writeCheckpoint, type CheckpointSpec, type Fill } from '../support/checkpoints.ts';
import { convertFolder, readAllBytes } from '../support/convertFolder.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const CLUSTER = here('../../examples/cluster/');

let folder = '';
let env: NodeJS.ProcessEnv = {};
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gqa-cluster-'));
  // A `gqa` on the path, as the files expect it.
  mkdirSync(join(folder, 'bin'));
  const bin = `#!/bin/sh\nexec "${process.execPath}" "${await builtGqa()}" "$@"\n`;
  writeFileSync(join(folder, 'bin', 'gqa'), bin, { mode: 0o755 });
  env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` };
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const [HIDDEN, LAYERS, HEADS] = [512, 8, 16];

/** Numbers that differ from tensor to tensor, quickly made. */
const ramp: Fill = (name, shape) => {
  const [first] = noise(name, [1]) as Float32Array;
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < values.length; i++) values[i] = first! + (i % 1013) / 1013;
  return values;
};

/** 32 MB in 8 shards: a worker takes long enough to be caught in the middle. */
function source(): Promise<string> {
  const layer = (n: number) =>
    ['q', 'k', 'v', 'o'].map(
      (x) => [`model.layers.${n}.self_attn.${x}_proj.weight`, [HIDDEN, HIDDEN]] as const,
    );
  const spec: CheckpointSpec = {
    config: {
      model_type: 'llama',
      hidden_size: HIDDEN,
      num_attention_heads: HEADS,
      num_key_value_heads: HEADS,
      num_hidden_layers: LAYERS,
    },
    tensors: Array.from({ length: LAYERS }, (_, n) => layer(n)).flat(),
  };
  return writeCheckpoint(join(folder, 'source'), spec, { fill: ramp, shards: 8 });
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly err: string;
}

function start(
  command: string,
  args: readonly string[],
  more: NodeJS.ProcessEnv = {},
): ChildProcess & { ended: Promise<Ended> } {
  const child = spawn(command, args, { env: { ...env, ...more }, stdio: ['ignore', 'ignore', 'pipe'] });
  let err = '';
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, err }));
  });
  return Object.assign(child, { ended });
}

/**
 * Starts a worker and kills it as soon as it has finished a shard and begun another. On a busy machine a worker may get to
 * its end unseen: then all is done once more.
 */
async function killedHalfway(args: readonly string[], partial: string): Promise<void> {
  for (;;) {
    const child = start('gqa', args);
    while (child.exitCode === null) {
      const names = existsSync(partial) ? await readdir(partial) : [];
      const done = names.some((name) => name.endsWith('.gqa-done.json'));
      if (done && names.some((name) => /\.safetensors\.\w+\.tmp$/.test(name))) child.kill('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (child.signalCode !== null) break;
    }
    const { signal, code, err } = await child.ended;
    if (signal === 'SIGKILL') return;
    expect({ code, err }).toMatchObject({ code: 0 });
    await rm(partial, { recursive: true });
  }
}

/** Arguments of the container in a manifest, with its variable and its folders replaced. */
function argumentsOf(file: string, worker: number, from: string, to: string): string[] {
  const [, args] = /^ *args:\n((?: *- .*\n)+)/m.exec(readFileSync(join(CLUSTER, file), 'utf8'))!;
  const words = args!
    .trim()
    .split('\n')
    .map((line) => line.replace(/^ *- /, '').replace(/^'(.*)'$/, '$1'));
  return words.map((word) =>
    word
      .replace('$(WORKER)', String(worker))
      .replace('/models/source-gqa8', to)
      .replace('/models/source', from),
  );
}

describe('the workers of a cluster', () => {
  test(
    'Kubernetes: 8 workers, one killed half way and run again, then the finish',
    { timeout: 120_000 },
    async () => {
      const [from, out] = [await source(), join(folder, 'out')];
      const manifest = readFileSync(join(CLUSTER, 'kubernetes.yaml'), 'utf8');
      expect(manifest).toMatch(
        /completionMode: Indexed\n +completions: 8\n +parallelism: 8\n +backoffLimitPerIndex: 3/,
      );
      // One worker of two alone first: with four shards it is surely caught between two.
      const oneOfTwo = [...argumentsOf('kubernetes.yaml', 1, from, out).slice(0, -1), '1/2'];
      await killedHalfway(oneOfTwo, `${out}.partial`);
      expect(existsSync(out)).toBe(false);
      const early = start('gqa', argumentsOf('kubernetes-finish.yaml', 0, from, out));
      expect(await early.ended).toMatchObject({
        code: 1,
        err: expect.stringMatching(/error: .*out\.partial: \d of 8 shards are not converted yet: model-/),
      });
      const workers = Array.from({ length: 8 }, (_, i) =>
        start('gqa', argumentsOf('kubernetes.yaml', i, from, out)),
      );
      for (const worker of workers) expect(await worker.ended).toMatchObject({ code: 0 });
      const finish = () => start('gqa', argumentsOf('kubernetes-finish.yaml', 0, from, out)).ended;
      expect(await finish()).toMatchObject({ code: 0 });
      // A Job that is run again, and a pod that comes late, find that all is done.
      expect(await finish()).toMatchObject({ code: 0 });
      expect(await start('gqa', argumentsOf('kubernetes.yaml', 3, from, out)).ended).toMatchObject({
        code: 0,
      });
      await expectWhole(from, out);
    },
  );

  test('Slurm: an array of 3 tasks, then the finish', { timeout: 120_000 }, async () => {
    const [from, out] = [await source(), join(folder, 'out')];
    const settings = { SOURCE: from, OUT: out, OPTIONS: '--kv-heads 8 --method mean' };
    const tasks = [0, 1, 2].map((i) =>
      start('bash', [join(CLUSTER, 'slurm.sh')], {
        ...settings,
        SLURM_ARRAY_TASK_ID: String(i),
        SLURM_ARRAY_TASK_COUNT: '3',
      }),
    );
    for (const task of tasks) expect(await task.ended).toMatchObject({ code: 0 });
    expect(await start('bash', [join(CLUSTER, 'slurm.sh'), 'finish'], settings).ended).toMatchObject({
      code: 0,
    });
    await expectWhole(from, out);
  });

  test(
    'one machine: a worker that is killed is started again by the script',
    { timeout: 120_000 },
    async () => {
      const [from, out] = [await source(), join(folder, 'out')];
      const script = start('bash', [join(CLUSTER, 'local.sh'), '2', from, out, '--kv-heads', '8']);
      const victim = await findWorker(script.pid!, '1/2', `${out}.partial`);
      process.kill(victim, 'SIGKILL');
      const { code, err } = await script.ended;
      expect(err).toContain('worker 1/2 failed; again');
      expect(code).toBe(0);
      await expectWhole(from, out);
    },
  );

  test('workers of different options do not mix', { timeout: 60_000 }, async () => {
    const [from, out] = [await source(), join(folder, 'out')];
    const run = (...args: string[]) => start('gqa', ['convert', from, '--out', out, ...args]).ended;
    expect(await run('--kv-heads', '2', '--shards', '0/8')).toMatchObject({ code: 0 });
    // Not only of the shards that are there: the worker learns at once what the finish would find at the end.
    for (const more of [['--shards', '0/8'], ['--shards', '1/8'], ['--finish']]) {
      const { code, err } = await run('--kv-heads', '4', ...more);
      expect(err).toContain(
        'out.partial: is of another conversion (other options, source or version); finish that one, or remove the folder',
      );
      expect(code).toBe(1);
    }
  });
});

/** The process of a worker under a script, once it has begun to write. */
async function findWorker(script: number, shards: string, partial: string): Promise<number> {
  for (;;) {
    const lines = execFileSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' }).split('\n');
    const found = lines.find((line) => line.includes('cli.js') && line.includes(`--shards ${shards}`));
    const begun = existsSync(partial) && (await readdir(partial)).some((name) => name.startsWith('model-'));
    if (found && begun) return Number(found.trim().split(/\s+/)[0]);
    if (!lines.some((line) => line.trim().startsWith(`${script} `)))
      throw new Error('the script ended too soon');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function expectWhole(from: string, out: string): Promise<void> {
  const names = (await readdir(out)).toSorted();
  const shards = Array.from({ length: 8 }, (_, i) => `model-0000${i + 1}-of-00008.safetensors`);
  const others = [
    'config.json',
    'extra',
    'gqa-conversion.json',
    'model.safetensors.index.json',
    'tokenizer.json',
  ];
  expect(names).toEqual([...others, ...shards].toSorted());
  expect((await readdir(folder)).toSorted()).toEqual(['bin', 'out', 'source']);
  const alone = await convertFolder(from, join(folder, 'alone'), { kvHeads: 8 });
  const [spread, whole] = [await readAllBytes(out), await readAllBytes(alone)];
  expect([...spread.keys()]).toEqual([...whole.keys()]);
  // Not toEqual, which looks at every byte of 32 MB by itself.
  for (const [name, bytes] of whole)
    expect([name, Buffer.compare(bytes, spread.get(name)!)]).toEqual([name, 0]);
}
