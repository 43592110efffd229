// gqaMain.ts: runs `gqa` in this process, its output kept.
import { vi } from 'vitest';
import { main } from '../../cli/main.ts';

/** What a run printed, and the exit code it asked for. */
export interface MainOutcome {
  readonly out: string;
  readonly err: string;
  readonly code: number | undefined;
}

/** Runs `gqa ...args`. The process's exit code is as before afterwards, and so are its streams. */
export async function gqaMain(...args: string[]): Promise<MainOutcome> {
  let [out, err] = ['', ''];
  const streams = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true)),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += String(text)), true)),
  ];
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await main(args);
    return { out, err, code: process.exitCode === undefined ? undefined : Number(process.exitCode) };
  } finally {
    process.exitCode = before;
    for (const stream of streams) stream.mockRestore();
  }
}
