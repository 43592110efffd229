// uptrainSource.ts: a checkpoint to uptrain: the model as it is and with other KV heads, and what its folder says of its training.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { updateConfig } from '../../checkpoint/convert/configUpdate.ts';
import { openModelFolder, type ModelFolder } from '../../checkpoint/convert/disk/modelFolder.ts';
import {
  planConversion,
  type ConversionOptions,
  type ConversionPlan,
} from '../../checkpoint/convert/plan.ts';
import { provenance } from '../../checkpoint/convert/provenance.ts';
import { findAttention } from '../../checkpoint/find/findAttention.ts';
import { openModel } from '../../checkpoint/model/disk/openModel.ts';
import type { ModelSource } from '../../models/decoder/modelSource.ts';
import { writeOutput } from '../../files/outputFile.ts';
import { checkTrainable } from '../trainable.ts';
import { trainedAs, type TrainedAs } from '../trainedAs.ts';
import { CONFIG_DTYPES, writeTexts, type SavedType } from './trainingFolder.ts';

/** A checkpoint, opened. */
export interface UptrainSource {
  readonly folder: ModelFolder;
  readonly plan: ConversionPlan;
  readonly original: ModelSource;
  readonly converted: ModelSource;
  readonly trainedAs: TrainedAs;
  /** How its first tensor is stored, of those types that a checkpoint can be saved in. */
  readonly savedType: SavedType;
  close(): Promise<void>;
}

/** Opens it. Throws ShapeError for a model that there are no backward kernels for, CheckpointError and ShapeError as `openModel` does. */
export async function openUptrainSource(path: string, heads: ConversionOptions): Promise<UptrainSource> {
  const folder = await openModelFolder(path);
  const original = await openModel(path);
  try {
    checkTrainable(original.spec);
    const attention = findAttention(folder.tensors, folder.config, path);
    const plan = planConversion(attention, folder.tensors, heads, path);
    const converted = await openModel(path, heads);
    return {
      folder,
      plan,
      original,
      converted,
      trainedAs: trainedAs(folder.shards[0]!.header.metadata, folder.config),
      savedType: savedType(folder),
      close: async () => {
        await original.close();
        await converted.close();
      },
    };
  } catch (error) {
    await original.close();
    throw error;
  }
}

/** What text a folder's weights say that they were trained on; undefined where they do not. */
export async function trainedOn(path: string): Promise<string | undefined> {
  const { shards } = await openModelFolder(path);
  return shards[0]!.header.metadata['gqa.text'];
}

function savedType({ tensors }: ModelFolder): SavedType {
  const [first] = tensors.values();
  return first?.dtype === 'F16' ? 'f16' : first?.dtype === 'BF16' ? 'bf16' : 'f32';
}

/** Writes the config of the result, and copies what else belongs to the model: its tokenizer, say. */
export async function writeBeside(
  { folder, plan }: UptrainSource,
  out: string,
  type: SavedType,
): Promise<void> {
  const isSame = plan.options.kvHeads === plan.attention.numKvHeads;
  const config = isSame ? folder.configText : updateConfig(folder.configText, plan, folder.path);
  const typed = config.replace(/("(?:torch_)?dtype"\s*:\s*)"[^"]*"/g, `$1"${CONFIG_DTYPES[type]}"`);
  for (const { name } of folder.others) {
    await writeOutput(join(out, name), [await readFile(join(folder.path, name))]);
  }
  await writeTexts(out, { 'config.json': typed });
}

/** What the weights' metadata says of the conversion. */
export function conversionMetadata({ plan, folder }: UptrainSource, tool: string): Record<string, string> {
  const said = provenance(plan, { tool, source: folder.name, calibration: undefined });
  return Object.fromEntries(Object.entries(said).map(([key, value]) => [`gqa.${key}`, value]));
}
