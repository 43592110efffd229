// wholeCeiling.ts: the rate at which a step of a whole model reads its weights and KV rows, beside the read ceiling over as many bytes, in one run.
//
//   node scripts/runTs.mjs bench/studies/wholeCeiling.ts [ADAPTER] [DEPTH]
//
// A Llama of 60 million random f16 weights, of which a step reads 44 million, with 8, 4 and 1 KV heads.
import { openDevice } from '../../src/index.ts';
import { fullDescriptor } from '../../src/device/deviceRequest.ts';
import { loadModel } from '../../src/models/decoder/model.ts';
import { nodeGpu } from '../../src/node.ts';
import { randomModel } from '../whole/randomModel.ts';
import { WholeTarget } from '../whole/wholeTarget.ts';
import { MIB, randomWeights, shareOfCeiling } from './readTurns.ts';

const CONFIG = {
  model_type: 'llama',
  hidden_size: 512,
  intermediate_size: 1536,
  num_attention_heads: 8,
  num_key_value_heads: 8,
  num_hidden_layers: 8,
  vocab_size: 32_000,
};

/** Of a sample. */
const STEPS = 4;

const [adapter, depth = '256'] = process.argv.slice(2);
const found = await nodeGpu(adapter === undefined ? {} : { adapter });
const device = await openDevice(found.gpu, { descriptor: fullDescriptor });
process.stdout.write(`${found.adapterName}\n`);
for (const kvHeads of [8, 4, 1]) process.stdout.write(`${await lineOf(kvHeads)}\n`);
device.destroy();

async function lineOf(kvHeads: number): Promise<string> {
  const model = await loadModel(device, randomModel(CONFIG, kvHeads, 'llama-60m', 1), { weightType: 'f16' });
  const workload = { batch: 1, depth: Number(depth), kType: 'f16', vType: 'f16' } as const;
  const target = await WholeTarget.create(model, workload, 1);
  // Whole vectors of all readers.
  const bytes = Math.floor((target.weightBytes + target.kvBytes) / 256) * 256;
  const source = randomWeights(device, bytes, 1);
  const run = (pass: GPUComputePassEncoder, steps: number) => {
    for (let i = 0; i < steps; i++) target.whole.record(pass);
  };
  const share = await shareOfCeiling(device, run, { bytes, sources: [source], steps: STEPS });
  for (const made of [source, target, model]) made.destroy();
  return `${kvHeads} KV heads, ${(bytes / MIB).toFixed(1)} MiB: ${share}`;
}
