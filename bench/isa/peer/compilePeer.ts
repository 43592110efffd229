// compilePeer.ts: has the driver of this process compile onnxruntime-web's kernels of a decode step; run by runOnAbsentGpu, once a family and type.
//
//   node scripts/runTs.mjs bench/isa/peer/compilePeer.ts TYPE COMPILED
//
// TYPE is that of the cache, COMPILED a JSON file for a PeerCompiled. The library makes its shaders for the device that it
// finds; their text stays in this process.
import { writeFileSync } from 'node:fs';
import { GqaError } from '../../../src/index.ts';
import { nodeGpu } from '../../../src/node.ts';
import { LABELLED } from '../dawn.ts';
import { actAsBrowser } from '../../peers/asBrowser.ts';
import { makeInputs, type PeerType } from '../../peers/inputs.ts';
import { openOnnxWeb } from '../../peers/onnxWeb.ts';
import { PEER_KERNELS, PEER_SHAPE } from './peer.ts';
import type { PeerCompiled } from './peerRows.ts';

/** Keys of the step: enough that it is split. */
const DEPTH = 256;

const [type, compiledFile] = process.argv.slice(2) as [PeerType, string];
await actAsBrowser((await nodeGpu(LABELLED)).gpu);
writeFileSync(compiledFile, JSON.stringify(await compileStep()));
process.exit();

async function compileStep(): Promise<PeerCompiled> {
  const missing = missingKernels();
  const engine = await openOnnxWeb();
  try {
    const attention = await engine.bind(makeInputs({ ...PEER_SHAPE, depth: DEPTH, type }, 1), 1);
    await attention.start(0);
  } catch (error) {
    if (!(error instanceof GqaError)) throw error;
    return { refused: error.message };
  }
  if (missing.size === 0) return {};
  throw new GqaError('isa', `onnxruntime-web: expected a step with ${[...missing].join(', ')}`);
}

/** The kernels of the step less those that get a pipeline from now on. */
function missingKernels(): ReadonlySet<string> {
  const missing = new Set(PEER_KERNELS);
  const { prototype } = GPUDevice;
  // oxlint-disable-next-line typescript/unbound-method -- called with its device below
  const create = prototype.createComputePipelineAsync;
  prototype.createComputePipelineAsync = async function (descriptor) {
    const pipeline = await create.call(this, descriptor);
    missing.delete(descriptor.compute.module.label);
    return pipeline;
  };
  return missing;
}
