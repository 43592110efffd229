// trainingFolder.ts: a model in training on disk: a folder in Hugging Face form, and beside its weights the state that training goes on from.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { SafetensorsFile, writeSafetensors, type TensorData } from '../../checkpoint/format/file.ts';
import { CheckpointError, fail } from '../../checkpoint/format/checkpointError.ts';
import { LARGEST } from '../../checkpoint/format/dtypes.ts';
import { writeOutput } from '../../files/outputFile.ts';
import { bf16Bits, f16Bits } from '../../numbers/halves.ts';
import type { FloatTensor } from '../weights.ts';
import type { TrainingState } from '../trainer.ts';

/** Where the state is, in the folder: loaders look for weights at its top alone. */
const STATE = join('training', 'state.safetensors');

export const SAVED_TYPES = ['f32', 'f16', 'bf16'] as const;

/** How weights are stored in a checkpoint. */
export type SavedType = (typeof SAVED_TYPES)[number];

/** What each is called in a config.json. */
export const CONFIG_DTYPES: Readonly<Record<SavedType, string>> = {
  f32: 'float32',
  f16: 'float16',
  bf16: 'bfloat16',
};

/** What a state says of its run besides numbers: the options it was begun with. */
export type RunRecord = Readonly<Record<string, unknown>>;

/** A state, and the run that it is of. */
export interface SavedState {
  readonly state: TrainingState;
  readonly run: RunRecord;
}

/** Writes files of a model folder that are text, each whole or not at all. */
export async function writeTexts(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeOutput(join(folder, name), [text]);
}

/** Writes a model's weights as `model.safetensors`: the file before is replaced whole, or stays as it was. */
export async function writeWeights(
  folder: string,
  tensors: ReadonlyMap<string, FloatTensor>,
  type: SavedType,
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  const all = [...tensors].map(([name, { shape, values }]): TensorData => ({
    name,
    ...stored(name, type, values),
    shape,
  }));
  await writeSafetensors(join(folder, 'model.safetensors'), all, { format: 'pt', ...metadata });
}

function stored(name: string, type: SavedType, values: Float32Array): Pick<TensorData, 'dtype' | 'data'> {
  if (type === 'f32') return { dtype: 'F32', data: values };
  const beyond = values.find((value) => !(Math.abs(value) <= LARGEST.F16));
  if (type === 'f16' && beyond !== undefined)
    fail(`tensor "${name}": ${beyond} is beyond what f16 holds; save it as bf16 or f32`);
  return type === 'f16'
    ? { dtype: 'F16', data: Uint16Array.from(values, f16Bits) }
    : { dtype: 'BF16', data: Uint16Array.from(values, bf16Bits) };
}

/** Writes a state: the one before is replaced whole, or stays as it was. */
export async function writeState(folder: string, { state, run }: SavedState): Promise<void> {
  const { step, parameters, moments } = state;
  const named = { parameters, first_moments: moments.first, second_moments: moments.second };
  const tensors = Object.entries(named).map(([name, data]): TensorData => ({
    name,
    dtype: 'F32',
    shape: [data.length],
    data,
  }));
  await writeSafetensors(join(folder, STATE), tensors, { step: String(step), run: JSON.stringify(run) });
}

/** Reads it. Throws CheckpointError where there is none, or none that was written so. */
export async function readState(folder: string): Promise<SavedState> {
  const path = join(folder, STATE);
  const file = await SafetensorsFile.open(path);
  try {
    const { step = '', run = '' } = file.header.metadata;
    const parsed: unknown = parseRun(path, run);
    if (!/^\d+$/.test(step)) fail(`${path}: expected a number of steps in its metadata, got "${step}"`);
    const read = async (name: string) => (await file.readFloat32(name)).data;
    return {
      state: {
        step: Number(step),
        parameters: await read('parameters'),
        moments: { first: await read('first_moments'), second: await read('second_moments') },
      },
      run: parsed as RunRecord,
    };
  } finally {
    await file.close();
  }
}

function parseRun(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError(`${path}: expected the options of its training in its metadata`, { cause });
  }
}

/** Tells one text from another. */
export function hashOf(tokens: Uint32Array): string {
  return createHash('sha256').update(tokens).digest('hex');
}
