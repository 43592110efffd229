// progress.ts: how far a command is, on stderr: one line rewritten on a terminal, some lines in a log.
import { canRewrite, onOneLine, TerminalLine, type Terminal } from './terminalLine.ts';
import { formatTimeLeft, TimeLeft } from './timeLeft.ts';

/** Where progress is shown, and by what clock. */
export interface ProgressPlace {
  /** Default stderr, so that results on stdout stay clean. */
  readonly terminal?: Terminal;
  /** Streams that may be on the same terminal. Default stdout. */
  readonly others?: readonly Terminal[];
  /** Milliseconds. */
  readonly now?: () => number;
}

/** A log gets a line for each of so many parts of the work, and one when there was none for so long. */
const LOG = { parts: 10, ms: 60_000 };

/** The most that work under way is said to have done: what is rounded or estimated may add up to all before it is. */
const UNDER_WAY = 0.999;

/**
 * Shows how far something is and how long it will still take. On a terminal that is one line, which is cleared before this
 * process writes anything else. In a log it is a dozen lines, the last one at 100 %. No timer redraws it: it would run
 * between the samples of a benchmark.
 */
export class Progress {
  readonly #terminal: Terminal;
  readonly #line: TerminalLine;
  readonly #now: () => number;
  readonly #timeLeft = new TimeLeft();
  #share = 0;
  #logged: { readonly part: number; readonly ms: number } | undefined;
  #signal: AbortSignal | undefined;

  constructor({
    terminal = process.stderr,
    others = [process.stdout],
    now = () => performance.now(),
  }: ProgressPlace = {}) {
    this.#terminal = terminal;
    this.#line = new TerminalLine(terminal, others);
    this.#now = now;
  }

  /** From the abort on nothing is shown: the work is ending, and a second Ctrl-C would leave the line behind. */
  until(signal: AbortSignal): void {
    this.#signal = signal;
  }

  /**
   * Shows what is being done. `share` is how much of the work is done before it, from 0 to 1; it never falls, and only
   * `done` makes it 100 %. A text without a share is for who watches: a log does not get it.
   */
  show(text: string, share?: number): void {
    if (this.#signal?.aborted) return;
    const known = share === undefined || Number.isNaN(share) ? undefined : this.#atLeast(share);
    const line = onOneLine([...this.#head(known), text].join(', '));
    if (canRewrite(this.#terminal)) this.#line.draw(line);
    else if (known !== undefined) this.#log(line, known);
  }

  /** All is done: the line goes, a log gets its last one. */
  done(): void {
    this.end();
    if (!this.#signal?.aborted && !canRewrite(this.#terminal)) this.#log('100 %, done', 1);
  }

  #atLeast(share: number): number {
    return (this.#share = Math.max(this.#share, Math.min(share, UNDER_WAY)));
  }

  /** First, so that a narrow terminal has it too. */
  #head(share: number | undefined): string[] {
    if (share === undefined) return [];
    const left = this.#timeLeft.at(this.#now(), share);
    const percent = `${Math.floor(100 * share)} %`;
    return left === undefined ? [percent] : [percent, `${formatTimeLeft(left)} left`];
  }

  #log(line: string, share: number): void {
    const [part, ms] = [Math.floor(LOG.parts * share), this.#now()];
    if (this.#logged && part === this.#logged.part && ms - this.#logged.ms < LOG.ms) return;
    this.#logged = { part, ms };
    this.#terminal.write(`${line}\n`);
  }

  /** Prints a line that stays. */
  line(text: string): void {
    this.#terminal.write(`${text}\n`);
  }

  /** Clears the rewritten line. */
  end(): void {
    this.#line.clear();
  }
}
