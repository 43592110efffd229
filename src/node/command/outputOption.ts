// outputOption.ts: an option that names a file to write: checked when it is parsed, before the work, and when it is written.
import { InvalidArgumentError } from 'commander';
import { GqaError, messageOf } from '../../device/errors.ts';
import { checkOutput, writeOutput } from '../../files/outputFile.ts';
import { outputTarget } from '../../files/outputTarget.ts';

/** Parses the name of a file to write. A second one is refused: only one would be written. */
export function outputPath(text: string, before?: string): string {
  if (text === '') throw new InvalidArgumentError('expected a file, got an empty name.');
  if (before !== undefined) throw new InvalidArgumentError(`expected one file, got "${before}" before.`);
  return text;
}

/** Throws before any work is done when the file that `option` names could not be written. Leaves nothing there. */
export async function checkOutputOption(option: string, file: string): Promise<void> {
  await checkOutput(file).catch((cause: unknown) => refuse(option, file, cause));
}

/** Whether what is written to the path comes out of stdout. */
export function isStdout(file: string): boolean {
  const target = outputTarget(file);
  return target.kind === 'descriptor' && target.fd === 1;
}

/** Whether the path is, or would become, a regular file, which can be replaced again and again. */
export function isRegularFile(file: string): boolean {
  return outputTarget(file).kind === 'file';
}

/** Writes the file that `option` names; a regular one whole or not at all. Throws GqaError `output`. */
export async function writeOutputOption(option: string, file: string, text: string): Promise<void> {
  await writeOutput(file, [text]).catch((cause: unknown) => refuse(option, file, cause));
}

/** Writes a value as JSON. */
export async function exportJson(file: string, value: unknown): Promise<void> {
  await writeOutputOption('--export-json', file, `${JSON.stringify(value, null, 2)}\n`);
}

function refuse(option: string, file: string, cause: unknown): never {
  throw new GqaError('output', `${option} "${file}": ${messageOf(cause)}`, { cause });
}
