// modelFiles.ts: a whole model from files that need not be on a disk: dropped on a page, fetched, or in a browser's private storage.
import { ModelSource } from '../../models/decoder/modelSource.ts';
import { readModelFiles, type ModelFiles } from './fileParts.ts';
import { describedParts } from './modelParts.ts';

/**
 * Opens a model from its files. Headers are read now, tensors one by one while the model is loaded. Throws ShapeError for what are
 * no files, CheckpointError for files that are missing, cut or contradict each other, and as `describeModel` for a model
 * that is not known.
 * @param name what messages call it
 */
export async function openModelFiles(files: ModelFiles, name = 'model'): Promise<ModelSource> {
  const { spec, reader } = describedParts(await readModelFiles(files, name));
  return new ModelSource(name, spec, reader);
}
