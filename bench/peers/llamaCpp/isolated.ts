// isolated.ts: calls to a process of one's own, with a time limit: what hangs or dies there is an error here.
import { fork, type Serializable } from 'node:child_process';

/** Functions that another process answers to. */
type Calls<T> = { readonly [Name in keyof T]: (...args: never[]) => Promise<unknown> };

/** A process that was started. */
export interface Isolated<T extends Calls<T>> {
  /** Throws Error for what the function throws, and when there is no answer in time: the process is ended then. */
  call<Name extends keyof T & string>(name: Name, ...args: Parameters<T[Name]>): ReturnType<T[Name]>;
  /** Kills it. */
  end(): void;
}

type Answer = { readonly value: unknown } | { readonly error: string };

/** Starts a program that ends with `answerCalls`. */
export function isolate<T extends Calls<T>>(
  [program, ...args]: readonly [string, ...string[]],
  options: { readonly env?: NodeJS.ProcessEnv; readonly limitMs: number },
): Isolated<T> {
  const child = fork(program, args, {
    env: { ...process.env, ...options.env },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let said = '';
  child.stderr!.on('data', (text) => (said = `${said}${String(text)}`.slice(-MOST_SAID)));
  let ended: Error | undefined;
  let settle: (answer: Answer | Error) => void = () => {};
  const end = (why: string) => {
    ended ??= new Error(why);
    child.kill('SIGKILL');
    settle(ended);
  };
  child.on('message', (answer: Answer) => settle(answer));
  child.on('error', (error) => end(`the process did not start: ${error.message}`));
  // Its last words may come after its end.
  child.on('close', (code, signal) =>
    end(`the process ended with ${signal ?? `code ${code}`}${lastLine(said)}`),
  );
  return {
    end: () => end('the process was ended'),
    call: (name, ...given) =>
      new Promise<unknown>((resolve, reject) => {
        if (ended) throw ended;
        const late = `no answer to "${name}" within ${options.limitMs / 1000} s: the process was ended`;
        const timer = setTimeout(() => end(late), options.limitMs);
        settle = (answer) => {
          clearTimeout(timer);
          if (answer instanceof Error) reject(answer);
          else if ('error' in answer) reject(new Error(answer.error));
          else resolve(answer.value);
        };
        child.send([name, given] as Serializable);
      }) as ReturnType<T[typeof name]>,
  };
}

const MOST_SAID = 10_000;

function lastLine(text: string): string {
  const line = text.trim().split('\n').at(-1)!;
  return line && `: ${line}`;
}

/** Answers the process that started this one, one call at a time, until that one ends. */
export function answerCalls<T extends Calls<T>>(functions: T): void {
  // The rest is up to the process that started this one. Not by exit(): a library's threads may keep that waiting.
  process.on('SIGINT', () => {});
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  process.on('message', ([name, args]: [keyof T, never[]]) => {
    functions[name](...args).then(
      (value) => process.send!({ value }),
      (error: unknown) => process.send!({ error: error instanceof Error ? error.message : String(error) }),
    );
  });
}
