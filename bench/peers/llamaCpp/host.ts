// host.ts: llama.cpp as the comparison sees it: a process of its own that hangs or dies alone, a GPU by its name.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WholeLoader } from '../whole/wholeHost.ts';
import { isolate, type Isolated } from './isolated.ts';
import type { LlamaCppProcess } from './process.ts';

const RUN_TS = fileURLToPath(new URL('../../../scripts/runTs.mjs', import.meta.url));

/** As runTs.mjs takes it: from the root. */
const PROCESS = 'bench/peers/llamaCpp/process.ts';

/** lavapipe takes minutes to compile the kernels of a first token. */
const LIMIT_MS = 600_000;

/** On the CPU, or by Vulkan on the GPU of this name, software or not. Throws where it cannot run. */
export async function openLlamaCpp(adapter: string | undefined): Promise<WholeLoader> {
  const folder = await mkdtemp(join(tmpdir(), 'gqa-llama-cpp-'));
  const file = join(folder, 'model.gguf');
  try {
    const child = adapter === undefined ? (await open(false, file)).child : await openVulkan(adapter, file);
    return {
      on: null,
      async load(sizes, seed, depth) {
        return {
          step: await child.call('load', sizes, seed, depth),
          time: (steps) => child.call('time', steps),
          answer: (prompt, greedy) => child.call('answer', prompt, greedy),
          release: () => child.call('release'),
        };
      },
      async close() {
        child.end();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

type Child = Isolated<LlamaCppProcess>;

/** llama.cpp takes a GPU by its number in Vulkan's list, a software adapter only so: the name tells whether it is the one. */
async function openVulkan(adapter: string, file: string): Promise<Child> {
  const others: string[] = [];
  for (;;) {
    const { child, devices } = await open('vulkan', file, String(others.length)).catch((error: unknown) => {
      if (others.length === 0) throw error;
      throw new Error(`expected ${adapter}, the adapter of the others, got ${others.join(', ')}`);
    });
    if (devices.includes(adapter)) return child;
    child.end();
    others.push(devices.join(', '));
  }
}

async function open(gpu: 'vulkan' | false, file: string, device = '') {
  const env = { GGML_VK_VISIBLE_DEVICES: device };
  const child = isolate<LlamaCppProcess>([RUN_TS, PROCESS], { env, limitMs: LIMIT_MS });
  try {
    return { child, devices: await child.call('open', gpu, file) };
  } catch (error) {
    child.end();
    throw error;
  }
}
