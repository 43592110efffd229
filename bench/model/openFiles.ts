// openFiles.ts: a model of files that need not be on a disk, opened as it is and with other KV heads.
import { readModelFiles, type ModelFiles } from '../../src/checkpoint/model/fileParts.ts';
import { mergedParts } from '../../src/checkpoint/model/mergedParts.ts';
import { describedParts, type ModelParts } from '../../src/checkpoint/model/modelParts.ts';
import { ModelSource } from '../../src/models/decoder/modelSource.ts';
import type { OpenVariant } from './variants.ts';

/** Opens variants of a model; its headers are read once. Throws as `openModelFiles`. */
export async function openFiles(
  files: ModelFiles,
  name: string,
): Promise<ModelParts & { readonly open: OpenVariant }> {
  const parts = await readModelFiles(files, name);
  const open: OpenVariant = (heads) => {
    const { spec, reader } = heads ? mergedParts(parts, heads) : describedParts(parts);
    return Promise.resolve(new ModelSource(name, spec, reader));
  };
  return { ...parts, open };
}
