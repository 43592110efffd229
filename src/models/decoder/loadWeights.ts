// loadWeights.ts: the weights of a model onto a device, tensor by tensor: no more than one matrix is in the host's memory.
import type { GqaDevice } from '../../device/gqaDevice.ts';
import type { LoadedLayer, LoadedWeights, WeightOptions } from './loadedWeights.ts';
import type { ModelSpec, TensorReader } from './spec.ts';
import { WeightLoader } from './weightLoader.ts';

/**
 * Loads a model's weights. `keep` is told of every buffer. What `shared` has, weights of a model that differs in its attention alone, is
 * taken from there.
 */
export async function loadWeights(
  device: GqaDevice,
  spec: ModelSpec,
  reader: TensorReader,
  options: WeightOptions,
  keep: (buffer: GPUBuffer) => void,
  shared?: LoadedWeights,
): Promise<LoadedWeights> {
  const loader = new WeightLoader(device, spec, reader, options, keep);
  const outside = shared ?? (await loadOutside(loader, spec));
  const encoder: LoadedLayer[] = [];
  for (const [i, layer] of (spec.encoder?.layers ?? []).entries())
    encoder.push(shared?.encoder[i] ?? (await loader.layer(layer)));
  const layers: LoadedLayer[] = [];
  for (const [i, layer] of spec.layers.entries()) layers.push(await loader.layer(layer, shared?.layers[i]));
  return { ...outside, encoder, layers, bytes: loader.bytes };
}

/** What stands outside of the layers. */
async function loadOutside(
  loader: WeightLoader,
  { embedding }: ModelSpec,
): Promise<Omit<LoadedWeights, 'encoder' | 'layers' | 'bytes'>> {
  const table = await loader.table();
  const positions = embedding.positions && (await loader.positions(embedding.positions));
  const embeddingNorm = embedding.norm && (await loader.norm(embedding.norm));
  const head = await loader.head(table);
  return {
    embedding: table.matrix,
    ...(positions && { positions }),
    ...(embeddingNorm && { embeddingNorm }),
    head,
  };
}
