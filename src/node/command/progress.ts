// progress.ts: one line on stderr, rewritten on a terminal; elsewhere a line only when its stage changes.

/** Shows how far something is, on stderr, so that results on stdout stay clean. */
export class Progress {
  #width = 0;
  #stage = '';

  /** Shows a text. Off a terminal only the texts whose stage (what stands before ": ") is new are printed. */
  show(text: string): void {
    if (process.stderr.isTTY) {
      process.stderr.write(`\r${text.padEnd(this.#width)}`);
      this.#width = text.length;
      return;
    }
    const stage = text.split(': ')[0]!;
    if (stage !== this.#stage) process.stderr.write(`${text}\n`);
    this.#stage = stage;
  }

  /** Prints a line that stays. */
  line(text: string): void {
    this.end();
    process.stderr.write(`${text}\n`);
  }

  /** Clears the rewritten line. */
  end(): void {
    if (this.#width > 0) process.stderr.write(`\r${' '.repeat(this.#width)}\r`);
    this.#width = 0;
  }
}
