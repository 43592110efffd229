// tuningFile.ts: where `gqa tune` keeps what it found, and how the other commands read it.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { NO_TUNING, parseTuning, type Tuning } from '../decode/tuning.ts';

/** The file that GQA_TUNING names, else one in the user's cache folder. */
export function tuningPath(): string {
  if (process.env.GQA_TUNING) return process.env.GQA_TUNING;
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'gqa-webgpu', 'tuning.json');
}

/** What was measured so far; nothing where there is no file. Throws ShapeError, naming the file, when it is not a tuning. */
export function readTuning(path = tuningPath()): Tuning {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NO_TUNING;
    throw error;
  }
  return parseTuning(text, path);
}

/** Replaces the file, whole or not at all. */
export function writeTuning(tuning: Tuning, path = tuningPath()): void {
  mkdirSync(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}`;
  writeFileSync(beside, `${JSON.stringify(tuning, null, 2)}\n`);
  renameSync(beside, path);
}
