// loadWeights.ts: the weights of a model onto a device, tensor by tensor: no more than one matrix is in the host's memory.
import type { GqaDevice } from '../../device/gqaDevice.ts';
import type { LoadedLayer, LoadedWeights, WeightOptions } from './loadedWeights.ts';
import type { ModelSpec, TensorReader } from './spec.ts';
import { WeightLoader } from './weightLoader.ts';

/** Loads a model's weights. `keep` is told of every buffer. */
export async function loadWeights(
  device: GqaDevice,
  spec: ModelSpec,
  reader: TensorReader,
  options: WeightOptions,
  keep: (buffer: GPUBuffer) => void,
): Promise<LoadedWeights> {
  const loader = new WeightLoader(device, spec, reader, options, keep);
  const { embedding } = spec;
  const table = await loader.table();
  const positions = embedding.positions && (await loader.positions(embedding.positions));
  const embeddingNorm = embedding.norm && (await loader.norm(embedding.norm));
  const encoder: LoadedLayer[] = [];
  for (const layer of spec.encoder?.layers ?? []) encoder.push(await loader.layer(layer));
  const layers: LoadedLayer[] = [];
  for (const layer of spec.layers) layers.push(await loader.layer(layer));
  const head = await loader.head(table);
  return {
    embedding: table.matrix,
    ...(positions && { positions }),
    ...(embeddingNorm && { embeddingNorm }),
    encoder,
    layers,
    head,
    bytes: loader.bytes,
  };
}
