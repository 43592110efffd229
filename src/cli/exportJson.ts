// exportJson.ts: a result file that is either whole or not there.
import { existsSync, statSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GqaError } from '../device/errors.ts';

/** Throws before any work is done when a file could not be written there. `option` is what asked for it. */
export async function checkExportTarget(file: string, option = '--export-json'): Promise<void> {
  const folder = dirname(file);
  if (!existsSync(folder)) throw new GqaError('export', `${option}: the folder of "${file}" does not exist`);
  if (existsSync(file) && statSync(file).isDirectory()) {
    throw new GqaError('export', `${option}: expected a file, "${file}" is a folder`);
  }
}

/** Writes a value as JSON; whole or not at all. */
export async function exportJson(file: string, value: unknown): Promise<void> {
  await exportText(file, `${JSON.stringify(value, null, 2)}\n`, '--export-json');
}

/** Writes beside the target and renames. */
export async function exportText(file: string, text: string, option: string): Promise<void> {
  const partial = `${file}.${process.pid}.partial`;
  try {
    await writeFile(partial, text);
    await rename(partial, file);
  } catch (cause) {
    await rm(partial, { force: true });
    throw new GqaError('export', `${option}: "${file}" could not be written: ${String(cause)}`, { cause });
  }
}
