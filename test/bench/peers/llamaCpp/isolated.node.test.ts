// isolated.node.test.ts: calls to another process: answers, errors, one that hangs, one that dies.
import { fileURLToPath } from 'node:url';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isolate } from '../../../../bench/peers/llamaCpp/isolated.ts';

/** What the program here answers to. */
interface Answers {
  double(values: Float32Array): Promise<Float32Array>;
  fail(): Promise<never>;
  hang(): Promise<never>;
  die(): Promise<never>;
}

const PROGRAM = `
const { runnerImport } = await import(${JSON.stringify(import.meta.resolve('vite'))});
const { module } = await runnerImport(${JSON.stringify(fileURLToPath(new URL('../../../../bench/peers/llamaCpp/isolated.ts', import.meta.url)))}, { configFile: false });
module.answerCalls({
  double: async (values) => values.map((value) => 2 * value),
  fail: async () => { throw new Error('no such model'); },
  hang: async () => { for (;;); },
  die: async () => { process.stderr.write('some words\\nGGML_ASSERT(x) failed\\n', () => process.kill(process.pid, 'SIGABRT')); },
});
`;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gqa-isolated-'));
  await writeFile(join(folder, 'program.mjs'), PROGRAM);
});

afterAll(() => rm(folder, { recursive: true }));

const start = (limitMs: number) => isolate<Answers>([join(folder, 'program.mjs')], { limitMs });

test('answers come back, typed arrays too, and errors; one that dies leaves its last words, ever after', async () => {
  const child = start(60_000);
  expect(await child.call('double', Float32Array.of(1, 2))).toEqual(Float32Array.of(2, 4));
  await expect(child.call('fail')).rejects.toThrow('no such model');
  const last = 'the process ended with SIGABRT: GGML_ASSERT(x) failed';
  await expect(child.call('die')).rejects.toThrow(last);
  await expect(child.call('double', Float32Array.of(1))).rejects.toThrow(last);
});

test('what hangs is ended', async () => {
  const child = start(100);
  const late = 'no answer to "hang" within 0.1 s: the process was ended';
  await expect(child.call('hang')).rejects.toThrow(late);
});
