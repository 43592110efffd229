// openModel.ts: a model folder on disk as a whole model: its description, and its tensors to read. In Node.
import type { ModelSpec, TensorReader } from '../../models/decoder/spec.ts';
import { openModelFolder } from '../convert/disk/modelFolder.ts';
import { ModelReader } from '../convert/disk/modelReader.ts';
import { describeModel } from './describeModel.ts';

/** A model that can be loaded: `loadModel` takes its spec and itself. Close it once its weights are on a device. */
export interface OpenModel extends TensorReader {
  readonly path: string;
  readonly spec: ModelSpec;
  close(): Promise<void>;
}

/** Opens a folder with config.json and safetensors files; throws a CheckpointError or ShapeError for what is no model that is known as a whole. */
export async function openModel(path: string): Promise<OpenModel> {
  const folder = await openModelFolder(path);
  const described = describeModel(folder.tensors, folder.config, path);
  const reader = new ModelReader(folder);
  return {
    path,
    spec: described,
    tensor: (name) => folder.tensors.get(name),
    read: (name) => reader.read(name),
    close: () => reader.close(),
  };
}
