// mergedFiles.ts: a whole model with other KV heads, from files that need not be on a disk.
import { ModelSource } from '../../models/decoder/modelSource.ts';
import type { ConversionOptions } from '../convert/plan.ts';
import { readModelFiles, type ModelFiles } from './fileParts.ts';
import { mergedParts } from './mergedParts.ts';

/** Opens a model as `openModelFiles` does, its KV heads merged or repeated while tensors are read, as `openModel` does. */
export async function openMergedFiles(
  files: ModelFiles,
  heads: ConversionOptions,
  name = 'model',
): Promise<ModelSource> {
  const { spec, reader } = mergedParts(await readModelFiles(files, name), heads);
  return new ModelSource(name, spec, reader);
}
