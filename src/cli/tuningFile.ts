// tuningFile.ts: where `gqa tune` keeps what it found, and how the other commands read it.
import { accessSync, constants, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { GqaError, messageOf } from '../device/errors.ts';
import { NO_TUNING, parseTuning, type Tuning } from '../decode/tuning.ts';
import { tuningFaults } from '../decode/tuningFaults.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';

/** The file that GQA_TUNING names, else one in the user's cache folder. */
export function tuningPath(): string {
  if (process.env.GQA_TUNING) return process.env.GQA_TUNING;
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'gqa-webgpu', 'tuning.json');
}

/** What was measured so far; nothing where there is no file. Throws GqaError, naming the file, when it is not a tuning. */
export function readTuning(path = tuningPath()): Tuning {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NO_TUNING;
    throw error;
  }
  try {
    return parseTuning(text, path);
  } catch (error) {
    const message = messageOf(error);
    const advice = 'remove it, or name another file in GQA_TUNING (gqa bench --no-tuning reads none)';
    throw new GqaError('tuning', `${message}; ${advice}`, { cause: error });
  }
}

/** As `readTuning`, for use on a device: entries that it cannot use are said. */
export function readTuningFor({ device, facts }: GqaDevice, say: (line: string) => void): Tuning {
  const tuning = readTuning();
  for (const fault of tuningFaults(tuning, device.adapterInfo, facts))
    say(`warning  ${tuningPath()}: ${fault}`);
  return tuning;
}

/** Throws GqaError unless `writeTuning` will find a folder to write to: minutes of measuring would be lost otherwise. */
export function checkTuningWritable(path = tuningPath()): void {
  const folder = dirname(path);
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new GqaError('output', `${path}: cannot be written: ${(error as Error).message}`, { cause: error });
  }
}

/** Replaces the file, whole or not at all. */
export function writeTuning(tuning: Tuning, path = tuningPath()): void {
  mkdirSync(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}`;
  writeFileSync(beside, `${JSON.stringify(tuning, null, 2)}\n`);
  renameSync(beside, path);
}
