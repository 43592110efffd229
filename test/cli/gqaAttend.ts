// gqaAttend.ts: runs `gqa attend` for tests, with input and output in a folder of their own.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { afterAll, beforeEach } from 'vitest';
import { registerAttend } from '../../cli/attend/attend.ts';
import { GqaError } from '../../src/device/errors.ts';

/** A folder that is emptied before each test of the file that calls this, and removed after the last. */
export function attendFolder(): { readonly folder: string; readonly input: string; readonly output: string } {
  const folder = mkdtempSync(join(tmpdir(), 'gqa-attend-'));
  beforeEach(() => {
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  return { folder, input: join(folder, 'in.safetensors'), output: join(folder, 'out.safetensors') };
}

/** What a run printed, and its error. */
export interface Outcome {
  readonly out: string;
  readonly err: string;
  /** What `main` would print after `error: `, or commander's own text; empty when all went well. */
  readonly error: string;
  /** What the command left for the process to end with. */
  readonly exitCode: number;
}

/** Runs `gqa attend ...args` on a fresh program. */
export async function gqaAttend(...args: string[]): Promise<Outcome> {
  const outcome = { out: '', err: '', error: '', exitCode: 0 };
  const before = process.exitCode;
  process.exitCode = 0;
  const program = new Command('gqa').exitOverride().configureOutput({
    writeOut: (text) => void (outcome.out += text),
    writeErr: (text) => void (outcome.err += text),
  });
  registerAttend(program);
  try {
    await program.parseAsync(['attend', ...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof GqaError || error instanceof CommanderError)) throw error;
    outcome.error = error.message;
  } finally {
    outcome.exitCode = process.exitCode;
    process.exitCode = before;
  }
  return outcome;
}
