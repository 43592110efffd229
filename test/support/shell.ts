// shell.ts: runs a line of shell in which `gqa` is the command, as a process of its own.
import { spawn } from 'node:child_process';
import { builtGqa } from './builtGqa.ts';

/** What the line printed, and its exit code. */
export interface ShellOutcome {
  readonly out: string;
  readonly err: string;
  readonly code: number | undefined;
}

/** Runs a shell line in which `gqa` is the command, the built one unless `bin` is another, to the end of all its processes. */
export async function shell(line: string, bin?: string): Promise<ShellOutcome> {
  const gqaFunction = `gqa() { "${process.execPath}" "${bin ?? (await builtGqa())}" "$@"; }`;
  const child = spawn('bash', ['-o', 'pipefail', '-c', `${gqaFunction}; ${line}`]);
  let [out, err] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ out, err, code: code ?? undefined }));
  });
}
