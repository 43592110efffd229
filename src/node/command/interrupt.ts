// interrupt.ts: what Ctrl-C does to a command that takes its time: it ends early, and keeps what is finished.
import { constants } from 'node:os';
import { GqaError } from '../../device/errors.ts';
import { canRewrite, CLEAR_LINE } from './terminalLine.ts';

type Interrupt = 'SIGINT' | 'SIGTERM';

/** The reason of the signal's abort. The shell's exit code for it is 128 and the signal's number. */
export class InterruptedError extends GqaError {
  override readonly name: string = 'InterruptedError';
  readonly exitCode: number;
  constructor(signal: Interrupt) {
    super('interrupted', `interrupted (${signal})`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** What begins a line of its own where the terminal shows ^C, and maybe a line of progress before it. */
function afterEcho(): string {
  if (canRewrite(process.stderr)) return CLEAR_LINE;
  return process.stderr.isTTY ? '\n' : '';
}

/** Calls back once, at the first SIGINT or SIGTERM; the second has then its usual effect. Returns how to stop listening. */
function onInterrupt(says: string, act: (signal: Interrupt) => void): () => void {
  const listener = (signal: Interrupt) => {
    unlisten();
    process.stderr.write(`${afterEcho()}${signal}: ${says}\n`);
    act(signal);
  };
  const unlisten = () => void process.off('SIGINT', listener).off('SIGTERM', listener);
  process.on('SIGINT', listener).on('SIGTERM', listener);
  return unlisten;
}

/**
 * Runs work that an interrupt ends early: the first SIGINT or SIGTERM aborts the signal that it is given and sets the
 * process's exit code, to 130 or 143; the second ends the process at once, as if nobody listened. `kept` begins the line
 * that says so: what becomes of finished work.
 */
export async function interruptible<T>(kept: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const unlisten = onInterrupt(`${kept} (once more ends at once)`, (signal) =>
    controller.abort(new InterruptedError(signal)),
  );
  try {
    return await work(controller.signal);
  } finally {
    unlisten();
    const reason: unknown = controller.signal.reason;
    if (reason instanceof InterruptedError) process.exitCode = reason.exitCode;
  }
}

/** Runs work that an interrupt ends at once, as if nobody listened, once `left` has said what is left of it. */
export async function leaving<T>(left: string, work: () => Promise<T>): Promise<T> {
  const unlisten = onInterrupt(left, (signal) => process.kill(process.pid, signal));
  try {
    return await work();
  } finally {
    unlisten();
  }
}
