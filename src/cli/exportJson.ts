// exportJson.ts: a result file that is either whole or not there.
import { existsSync, statSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GqaError } from '../device/errors.ts';

/** Throws before any work is done when a file could not be written there. */
export async function checkExportTarget(file: string): Promise<void> {
  const folder = dirname(file);
  if (!existsSync(folder))
    throw new GqaError('export', `--export-json: the folder of "${file}" does not exist`);
  if (existsSync(file) && statSync(file).isDirectory()) {
    throw new GqaError('export', `--export-json: expected a file, "${file}" is a folder`);
  }
}

/** Writes beside the target and renames. */
export async function exportJson(file: string, value: unknown): Promise<void> {
  const partial = `${file}.${process.pid}.partial`;
  try {
    await writeFile(partial, `${JSON.stringify(value, null, 2)}\n`);
    await rename(partial, file);
  } catch (cause) {
    await rm(partial, { force: true });
    throw new GqaError('export', `--export-json: "${file}" could not be written: ${String(cause)}`, {
      cause,
    });
  }
}
