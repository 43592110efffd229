// folder.ts: the folder that a training writes to, and what a run that goes on finds in it.
import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { formatBytes } from '../../bench/text/format.ts';
import { GqaError, messageOf } from '../../src/device/errors.ts';
import { isRecord } from '../../src/device/options.ts';
import { freeSpace } from '../../src/files/freeSpace.ts';
import { checkOutput } from '../../src/files/outputFile.ts';
import type { TrainingMemory } from '../../src/train/allocation.ts';
import type { RunRecord, SavedType } from '../../src/train/disk/trainingFolder.ts';
import type { ParameterLayout } from '../../src/train/parameters.ts';
import type { TrainerOptions } from '../../src/train/trainer.ts';
import { parameterCount } from '../../src/train/weights.ts';

/** Throws GqaError, before any work, unless a training can be written there: a new or an empty folder, or with `--resume` one that has been. */
export async function checkFolder(folder: string, resumes: boolean): Promise<void> {
  const files = await readdir(folder).catch((cause: unknown) => {
    if ((cause as { code?: unknown }).code === 'ENOENT') return [];
    throw new GqaError('output', `--out "${folder}": ${messageOf(cause)}`, { cause });
  });
  if (!resumes && files.length > 0) {
    throw new GqaError(
      'output',
      `--out "${folder}": is there already, and not empty; expected a new folder, or --resume to go on with its training`,
    );
  }
  await checkOutput(`${folder}/model.safetensors`).catch((cause: unknown) => {
    throw new GqaError('output', `--out "${folder}": ${messageOf(cause)}`, { cause });
  });
}

/** A state: parameters and two moments, f32. */
const STATE_BYTES = 3 * 4;

/**
 * Throws GqaError, before any work, unless the disk has room for a checkpoint: hours of training could not be saved. Where there is one, the new
 * state is written beside it, and takes its place.
 */
export async function checkRoom(
  folder: string,
  layout: ParameterLayout,
  saveType: SavedType,
  resumes: boolean,
): Promise<void> {
  const weights = resumes ? 0 : parameterCount(layout) * (saveType === 'f32' ? 4 : 2);
  const needed = layout.count * STATE_BYTES + weights;
  const free = await freeSpace(resolve(folder));
  if (needed <= free) return;
  throw new GqaError(
    'output',
    `--out "${folder}": a checkpoint takes ${formatBytes(needed)}, but its disk has ${formatBytes(free)} left`,
  );
}

/** Options that a run which goes on may have of its own. */
const OWN = new Set([
  'text',
  'tokens',
  'tokenizer',
  'out',
  'resume',
  'output',
  'saveEvery',
  'saveType',
  'adapter',
  'requireGpu',
]);

/** Throws GqaError for options that a training which goes on has already. */
export function refuseOptions(command: Command): void {
  const given = command.options.find(
    (option) =>
      !OWN.has(option.attributeName()) && command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  if (given) {
    throw new GqaError(
      'usage',
      `${given.long}: --resume goes on with the options that the training was begun with; leave it out`,
    );
  }
}

/** What a state says of its run. */
export interface SavedRun {
  readonly kind: string;
  readonly options: TrainerOptions;
  readonly saveType: SavedType;
  /** Share of the text that the loss is measured on, and the hash of its tokens. */
  readonly heldOut: number;
  readonly text: string;
  /** What it ran on, last. */
  readonly adapter?: string;
}

/** The share of the text that a saved run holds out: the same again, or its batches would be others. */
export function heldOutOf({ heldOut }: RunRecord): number {
  return typeof heldOut === 'number' ? heldOut : 0;
}

/** The run that a state is of. Throws GqaError for one of another command or another text. */
export function savedRun<T extends SavedRun>(
  folder: string,
  record: RunRecord,
  kind: T['kind'],
  textHash: string,
): T {
  const run = record as unknown as T;
  if (run.kind !== kind || !isRecord(run.options)) {
    throw new GqaError(
      'input',
      `${folder}: expected the state of a gqa ${kind}, got one of ${JSON.stringify(run.kind)}`,
    );
  }
  if (run.text !== textHash) {
    throw new GqaError('input', `${folder}: its training was begun on another text`);
  }
  return run;
}

/** Says so where a training goes on elsewhere than where it was. */
export function noteAdapter(
  record: RunRecord | undefined,
  adapter: string,
  note: (line: string) => void,
): void {
  const before = record?.['adapter'];
  if (typeof before !== 'string' || before === adapter) return;
  note(
    `warning  the training was on "${before}": on another device its bits are not those of a run without a break`,
  );
}

/** A run that goes on, its weights stored as it is told now: what does not fit f16 can be saved all the same. */
export function storedAs<T extends SavedRun>(run: T, saveType: SavedType | undefined): T {
  return saveType === undefined ? run : { ...run, saveType };
}

/** The memory that a training takes, in words, and what the original does that it is compared to. */
export function memoryLine(
  { parameters, optimiser, activations, total }: TrainingMemory,
  original?: TrainingMemory,
): string {
  const beside = original ? `, the original ${formatBytes(original.total)}` : '';
  return `memory   ${formatBytes(total + (original?.total ?? 0))}: parameters ${formatBytes(parameters)}, gradients and optimiser ${formatBytes(optimiser)}, activations ${formatBytes(activations)}${beside}`;
}
