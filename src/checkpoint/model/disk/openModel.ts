// openModel.ts: a model folder on disk as a whole model, as it is or with other KV heads: its description, and its tensors to read. In Node.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkString } from '../../../device/options.ts';
import { ModelSource } from '../../../models/decoder/modelSource.ts';
import { openModelFolder, type ModelFolder } from '../../convert/disk/modelFolder.ts';
import { ModelReader } from '../../convert/disk/modelReader.ts';
import type { ConversionOptions } from '../../convert/plan.ts';
import { checkHeads } from '../checkHeads.ts';
import { mergedParts } from '../mergedParts.ts';
import { describedParts, GENERATION_CONFIG, type ModelParts } from '../modelParts.ts';

/**
 * Opens a folder with config.json and safetensors files. With `heads` its KV heads are merged or repeated while tensors are
 * read, as `convertFolder` does: same plan, same values, nothing written. Throws a CheckpointError or ShapeError for what is no
 * model that is known as a whole, and for heads that it cannot have.
 * @param path of the folder
 */
export async function openModel(path: string, heads?: ConversionOptions): Promise<ModelSource> {
  checkString('openModel: path', path);
  if (heads !== undefined) checkHeads('openModel: heads', heads);
  const folder = await openModelFolder(path);
  const reader = new ModelReader(folder);
  const generationText = await readGenerationConfig(folder);
  const parts: ModelParts = { ...folder, generationText, read: (name) => reader.read(name) };
  const { spec, reader: tensors } = heads === undefined ? describedParts(parts) : mergedParts(parts, heads);
  return new ModelSource(path, spec, tensors, () => reader.close());
}

async function readGenerationConfig({ path, others }: ModelFolder): Promise<string | undefined> {
  if (!others.some(({ name }) => name === GENERATION_CONFIG)) return undefined;
  return readFile(join(path, GENERATION_CONFIG), 'utf8');
}
