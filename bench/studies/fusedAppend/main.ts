// main.ts: appending within the decode dispatch against an append and a step: whether it is right, then its processor time.
//
//   LP_NUM_THREADS=1 node scripts/runTs.mjs bench/studies/fusedAppend/main.ts [ADAPTER] [check | TOKENS,...] [SHAPE]
//
// By processor time of this process, for software adapters: rounds of several steps submitted together, all ways in turn; medians, and
// medians of the ratios within a round with their 95 % intervals. Then the host's time to record a layer. TOKENS are those before the
// step, SHAPE is one of SHAPES' names. `check` times nothing and holds more cases against float64 and append_kv.
import { openDevice, type KvCache } from '../../../src/index.ts';
import { nodeGpu } from '../../../src/node.ts';
import { fullRequest } from '../../../src/device/request.ts';
import { formatSignificant, markdownTable, type Column } from '../../text/format.ts';
import { median, medianInterval } from '../../schema/stats.ts';
import { checkLayer } from './check.ts';
import { createLayer, type LayerCase, type Way } from './layer.ts';

const ROUNDS = 21;

/** Tokens to attend to in a round, about: a round of a short cache has many steps. */
const ROUND_TOKENS = 8192;
const [LEAST_STEPS, MOST_STEPS] = [2, 32];

/** Steps that the host records at a time. */
const HOST_STEPS = 256;

type Shape = Pick<LayerCase, 'numQHeads' | 'numKvHeads' | 'headDim'>;

const SHAPES = new Map<string, Shape>([
  ['32/8/128', { numQHeads: 32, numKvHeads: 8, headDim: 128 }],
  ['8/1/64', { numQHeads: 8, numKvHeads: 1, headDim: 64 }],
]);

/** An empty cache, an odd slot, splits with a border among the new tokens, what types cannot hold. */
const CHECKS: readonly Omit<LayerCase, keyof Shape>[] = [
  { depth: 0, fresh: 1 },
  { depth: 15, fresh: 1 },
  { depth: 31, fresh: 4, numSplits: 2 },
  { depth: 200, fresh: 1, numSplits: 4 },
  { depth: 9, fresh: 2, odd: [NaN, Infinity, -1e6, 1e-12, 0, -0] },
];

/** A KV head for several workgroups. */
const WIDE = { numQHeads: 64, numKvHeads: 1, headDim: 64, depth: 33, fresh: 1 };

const COLUMNS: readonly Column[] = [
  { title: 'way', align: 'left' },
  { title: 'us', align: 'right' },
  { title: 'least', align: 'right' },
  { title: 'of append, step', align: 'right' },
  { title: 'of turning append, step', align: 'right' },
];

const [adapter, tokens = '16,128,1024,4096', chosen] = process.argv.slice(2);
const found = await nodeGpu(adapter === undefined ? {} : { adapter });
const device = await openDevice(found.gpu, {
  descriptor: (offer) => {
    const { requiredFeatures, requiredLimits } = fullRequest(offer);
    const { maxStorageBuffersPerShaderStage } = offer.limits;
    return { requiredFeatures, requiredLimits: { ...requiredLimits, maxStorageBuffersPerShaderStage } };
  },
});
const print = (text: string) => process.stdout.write(`${text}\n`);
print(found.adapterName);
for (const [name, shape] of SHAPES) {
  if (chosen !== undefined && chosen !== name) continue;
  if (tokens === 'check') {
    const cases = [...CHECKS.map((each) => ({ ...shape, ...each })), WIDE];
    print(`${name}: errors at most ${formatSignificant(await worstOf(cases), 2)} of their bound`);
    continue;
  }
  print(name);
  for (const depth of tokens.split(',').map(Number)) print(await tableOf(shape, depth));
  print(await hostText(shape));
}
device.destroy();

async function worstOf(cases: readonly LayerCase[]): Promise<number> {
  let worst = 0;
  for (const each of cases) {
    const layer = await createLayer(device, each);
    worst = Math.max(worst, await checkLayer(layer, each));
    layer.destroy();
  }
  return worst;
}

/** Times of all ways at a depth. */
async function tableOf(shape: Shape, depth: number): Promise<string> {
  const steps = Math.max(LEAST_STEPS, Math.min(MOST_STEPS, Math.round(ROUND_TOKENS / depth)));
  const of = { ...shape, depth, fresh: 1, spare: steps };
  const layer = await createLayer(device, of);
  await checkLayer(layer, of);
  const names = [...layer.ways.keys()];
  const times = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, way] of layer.ways) {
      const us = await processorUs(layer.cache, depth, way, steps);
      if (round >= 0) times.get(name)!.push(us);
    }
  }
  layer.destroy();
  const rows = names.map((name) => {
    const all = times.get(name)!;
    const ratios = ['append, step', 'turning append, step'].map((base) => ratioText(all, times.get(base)!));
    return [name, ...[median(all), Math.min(...all)].map((us) => formatSignificant(us, 4)), ...ratios];
  });
  return `T ${depth}, splits ${layer.numSplits}, rounds ${ROUNDS} of ${steps} steps\n${markdownTable(COLUMNS, rows)}`;
}

/** The median of the ratios of rounds, with its 95 % interval. */
function ratioText(times: readonly number[], bases: readonly number[]): string {
  const ratios = times.map((us, i) => us / bases[i]!);
  const [low, high] = medianInterval(ratios)!;
  return `${median(ratios).toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
}

async function processorUs(cache: KvCache, depth: number, way: Way, steps: number): Promise<number> {
  const commands = recorded(way, steps);
  const start = process.cpuUsage();
  device.gpu.queue.submit([commands]);
  await device.gpu.queue.onSubmittedWorkDone();
  const us = since(start);
  takeBack(cache, depth);
  return us / steps;
}

function recorded(way: Way, steps: number): GPUCommandBuffer {
  const encoder = device.gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (let i = 0; i < steps; i++) way(pass);
  pass.end();
  return encoder.finish();
}

function since(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

/** Ways that append within the step do not count their tokens. */
function takeBack(cache: KvCache, depth: number): void {
  if (cache.lengths.live(0)[0]! > depth) cache.truncate(depth);
}

/** What recording a layer takes the host, the encoder's end included. */
async function hostText(shape: Shape): Promise<string> {
  const depth = 16;
  const layer = await createLayer(device, { ...shape, depth, fresh: 1, spare: HOST_STEPS });
  const names = ['step', 'nothing, step', 'turning append, step', 'turning fused'];
  const times = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const start = process.cpuUsage();
      const commands = recorded(layer.ways.get(name)!, HOST_STEPS);
      times.get(name)!.push(since(start) / HOST_STEPS);
      device.gpu.queue.submit([commands]);
      await device.gpu.queue.onSubmittedWorkDone();
      takeBack(layer.cache, depth);
    }
  }
  layer.destroy();
  return `to record, us: ${names.map((name) => `${name} ${formatSignificant(median(times.get(name)!), 2)}`).join('; ')}`;
}
