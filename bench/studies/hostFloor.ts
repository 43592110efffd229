// hostFloor.ts: what a step of a whole model costs the thread that records it, beside the bare WebGPU calls of the same step.
//
//   node scripts/runTs.mjs bench/studies/hostFloor.ts [ADAPTER]
//
// A Llama so small that the device has next to nothing to do, eight steps to a submission: `submitCost` of both, in turn. The bare calls have the
// same pipelines, bind groups, offsets and grids in the same order, from a list: what an engine could not go below.
import { openDevice } from '../../src/index.ts';
import { loadModel } from '../../src/models/decoder/model.ts';
import { nodeGpu } from '../../src/node.ts';
import { submitCost, type Stepped } from '../run/hostCost.ts';
import { randomModel } from '../whole/randomModel.ts';
import { STEPS_OF_SUBMIT, WholeTarget } from '../whole/wholeTarget.ts';

const LAYERS = 12;
const ROUNDS = 12;
const CONFIG = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 96,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  num_hidden_layers: LAYERS,
  vocab_size: 128,
};

/** Depths of which a step is not split, and split and merged where the device has room for the splits. */
const DEPTHS = [12, 1024];

const [adapter] = process.argv.slice(2);
const found = await nodeGpu(adapter === undefined ? {} : { adapter });
const device = await openDevice(found.gpu);
const model = await loadModel(device, randomModel(CONFIG, 2, 'tiny', 1));
process.stdout.write(
  `${found.adapterName}, us of a step by its ${LAYERS} layers, the least of ${ROUNDS} rounds\n`,
);
for (const depth of DEPTHS) process.stdout.write(`${await lineOf(depth)}\n`);
model.destroy();
device.destroy();

async function lineOf(depth: number): Promise<string> {
  const target = await WholeTarget.create(model, { batch: 1, depth, kType: 'f16', vType: 'f16' }, 1);
  const calls = callsOf(target.stepped);
  const bare = { record: (pass: GPUComputePassEncoder) => replay(pass, calls), forget: () => undefined };
  let [ofStep, ofBare] = [Infinity, Infinity];
  for (let round = 0; round < ROUNDS; round++) {
    ofStep = Math.min(ofStep, (await submitCost(device, target.stepped, STEPS_OF_SUBMIT)) ?? Infinity);
    ofBare = Math.min(ofBare, (await submitCost(device, bare, STEPS_OF_SUBMIT)) ?? Infinity);
  }
  target.destroy();
  const perLayer = (ns: number) => (ns / 1000 / LAYERS).toFixed(1);
  const of = `T ${depth}: ${(calls.length / LAYERS).toFixed(2)} dispatches`;
  return `${of}, step ${perLayer(ofStep)}, bare calls ${perLayer(ofBare)}`;
}

interface Call {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly offsets: number[] | undefined;
  readonly grid: Parameters<GPUComputePassEncoder['dispatchWorkgroups']>;
}

/** The dispatches of a step, which is not submitted. */
function callsOf({ record, forget }: Stepped): Call[] {
  const calls: Call[] = [];
  const pass = device.gpu.createCommandEncoder({ label: 'calls' }).beginComputePass();
  let set: Partial<Call> = {};
  pass.setPipeline = (pipeline) => void (set = { pipeline });
  pass.setBindGroup = (_: number, group: GPUBindGroup | null, offsets?: Iterable<number>) =>
    void (set = { ...set, group: group!, offsets: offsets && [...offsets] });
  pass.dispatchWorkgroups = (...grid) => void calls.push({ ...(set as Call), grid });
  record(pass);
  pass.end();
  forget();
  return calls;
}

function replay(pass: GPUComputePassEncoder, calls: readonly Call[]): void {
  for (const { pipeline, group, offsets, grid } of calls) {
    pass.setPipeline(pipeline);
    if (offsets) pass.setBindGroup(0, group, offsets);
    else pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...grid);
  }
}
