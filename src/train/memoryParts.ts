// memoryParts.ts: a checkpoint in memory, to be opened as one on disk is: as it is, or with other KV heads.
import { mergedParts } from '../checkpoint/model/mergedParts.ts';
import { describedParts, type ModelParts } from '../checkpoint/model/modelParts.ts';
import type { ConversionOptions } from '../checkpoint/convert/plan.ts';
import { ModelSource } from '../models/decoder/modelSource.ts';
import type { FloatTensor } from './weights.ts';

/** A config.json and tensors by the names of a checkpoint. */
export interface MemoryCheckpoint {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, FloatTensor>;
}

/** Opens it. With `heads` its KV heads are merged while tensors are read, by the same plan and to the same values as on disk. */
export function openMemory(checkpoint: MemoryCheckpoint, heads?: ConversionOptions): ModelSource {
  const parts = partsOf(checkpoint);
  const { spec, reader } = heads === undefined ? describedParts(parts) : mergedParts(parts, heads);
  return new ModelSource(checkpoint.name, spec, reader);
}

/** What `source` is, with other numbers in its tensors: `tensorsOf` gives them, of parameters that were trained. */
export function trainedSource(source: ModelSource, tensors: ReadonlyMap<string, FloatTensor>): ModelSource {
  return new ModelSource(source.name, source.spec, {
    tensor: (name) => {
      const tensor = tensors.get(name);
      return tensor && { dtype: 'F32', shape: tensor.shape };
    },
    read: (name) => Promise.resolve(bytesOf(tensors.get(name)!)),
  });
}

function partsOf({ name, config, tensors }: MemoryCheckpoint): ModelParts {
  return {
    path: name,
    configText: JSON.stringify(config),
    config,
    tensors: new Map(
      [...tensors].map(([tensor, { shape }]) => [tensor, { name: tensor, dtype: 'F32', shape }]),
    ),
    generationText: undefined,
    read: (tensor) => Promise.resolve(bytesOf(tensors.get(tensor)!)),
  };
}

/** A copy: who converts writes into what it has read. */
function bytesOf({ values }: FloatTensor): Uint8Array {
  return new Uint8Array(values.slice().buffer);
}
