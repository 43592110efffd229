// tuningFile.ts: where `gqa tune` keeps what it found, and how the other commands read it.
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { NO_TUNING, parseTuning, type Tuning } from '../decode/tuning.ts';
import { tuningFaults } from '../decode/tuningFaults.ts';
import { GqaError, messageOf } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { checkOutput, writeOutput } from '../files/outputFile.ts';
import { userCache } from './userCache.ts';

/** The file that GQA_TUNING names, else one in the user's cache folder; undefined where there is neither. */
export function tuningPath(): string | undefined {
  if (process.env.GQA_TUNING) return process.env.GQA_TUNING;
  const cache = userCache();
  return cache && join(cache, 'gqa-webgpu', 'tuning.json');
}

/** What was measured so far; nothing where there is no file. Throws GqaError, naming the file, when it is not a tuning. */
export function readTuning(path = tuningPath()): Tuning {
  const text = path && readText(path);
  if (!path || text === undefined) return NO_TUNING;
  try {
    return parseTuning(text, path);
  } catch (error) {
    const message = messageOf(error);
    const advice = 'remove it, or name another file in GQA_TUNING (gqa bench --no-tuning reads none)';
    throw new GqaError('tuning', `${message}; ${advice}`, { cause: error });
  }
}

/** As `readTuning`, for use on a device: entries that it cannot use are said. */
export function readTuningFor({ gpu, facts }: GqaDevice, say: (line: string) => void): Tuning {
  const tuning = readTuning();
  for (const fault of tuningFaults(tuning, gpu.adapterInfo, facts)) say(`warning  ${tuningPath()}: ${fault}`);
  return tuning;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new GqaError('tuning', `${path}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Throws GqaError unless `writeTuning` could write now: minutes of measuring would be lost otherwise. Makes nothing. */
export async function checkTuningWritable(): Promise<void> {
  const path = tuningPath();
  if (!path) {
    const given = `HOME "${process.env.HOME ?? ''}", XDG_CACHE_HOME "${process.env.XDG_CACHE_HOME ?? ''}"`;
    throw new GqaError(
      'output',
      `no folder to keep what is found in: expected a home, or a file named in GQA_TUNING, got ${given}`,
    );
  }
  try {
    const folders = foldersOf(path);
    const there = folders.find((folder) => existsSync(folder));
    // A mistake in a variable is not to make folders for ever after.
    if (!there) throw new Error(`the folder "${folders.at(-1)}" does not exist`);
    // What is missing is made in there.
    if (there !== folders[0]) accessSync(there, constants.W_OK | constants.X_OK);
    else await checkOutput(path);
  } catch (cause) {
    throw new GqaError('output', `${path}: cannot be written: ${messageOf(cause)}`, { cause });
  }
}

/** Adds to the file by replacing it whole. Throws GqaError. */
export async function writeTuning(tuning: Tuning): Promise<void> {
  const path = tuningPath()!;
  try {
    const missing = foldersOf(path).filter((folder) => !existsSync(folder));
    for (const folder of missing.toReversed()) mkdirSync(folder, { mode: 0o700 });
    await writeOutput(path, [`${JSON.stringify(tuning, null, 2)}\n`]);
  } catch (cause) {
    throw new GqaError('output', `${path}: could not be written: ${messageOf(cause)}`, { cause });
  }
}

/** The folder of the file and, of the one in the cache folder, those that may have to be made, with what they are made in. */
function foldersOf(path: string): string[] {
  const folder = dirname(path);
  if (process.env.GQA_TUNING) return [folder];
  return [folder, dirname(folder), dirname(dirname(folder))];
}
