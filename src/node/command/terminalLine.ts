// terminalLine.ts: a line at the end of a terminal, rewritten in place, that makes way for whatever else is written.
import { stripVTControlCharacters } from 'node:util';

/** What is written to: `process.stderr`, or something like it. */
export interface Terminal {
  write(text: string): boolean;
  readonly isTTY?: boolean;
  /** 0 or nothing where the terminal does not say. */
  readonly columns?: number;
}

/** Takes the cursor to the begin of its line and clears the line. */
export const CLEAR_LINE = '\r\x1b[K';

/** Whether a line can be rewritten there: on a terminal that takes escape codes and that somebody watches. */
export function canRewrite({ isTTY }: Pick<Terminal, 'isTTY'>, env = process.env): boolean {
  return isTTY === true && env['TERM'] !== 'dumb' && !env['CI'];
}

const USUAL_COLUMNS = 80;

/** The last column, where some terminals wrap at once, and the ^C that a terminal shows when it is pressed. */
const SPARE_COLUMNS = 3;

/** A line that is cleared before this process writes anything else to the terminal or to the `others`. */
export class TerminalLine {
  readonly #terminal: Terminal;
  readonly #others: readonly Terminal[];
  #release: (() => void) | undefined;

  constructor(terminal: Terminal, others: readonly Terminal[]) {
    this.#terminal = terminal;
    this.#others = others;
  }

  /** Puts a text, one without control characters, in the place of the one before. */
  draw(text: string): void {
    this.#release?.();
    // Asked each time: the terminal may have been resized.
    const columns = this.#terminal.columns || USUAL_COLUMNS;
    this.#terminal.write(CLEAR_LINE + firstColumns(text, columns - SPARE_COLUMNS));
    this.#release = beforeWrites([this.#terminal, ...this.#others], () => this.clear());
  }

  clear(): void {
    if (!this.#release) return;
    this.#release();
    this.#release = undefined;
    this.#terminal.write(CLEAR_LINE);
  }
}

/** Has `act` called before anything is written to the streams, until what is returned is called. */
function beforeWrites(streams: readonly Terminal[], act: () => void): () => void {
  const undo = streams.map((stream) => {
    const own = Object.getOwnPropertyDescriptor(stream, 'write');
    const write = (...args: Parameters<Terminal['write']>) => {
      act();
      return stream.write(...args);
    };
    Object.defineProperty(stream, 'write', { value: write, configurable: true, writable: true });
    return () => {
      if (own) Object.defineProperty(stream, 'write', own);
      else Reflect.deleteProperty(stream, 'write');
    };
  });
  return () => undo.forEach((restore) => restore());
}

/** A text on one line: names of files and tensors may have characters that move a cursor, or colour what follows. */
export function onOneLine(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

/** As much of the beginning of a text as fits. */
export function firstColumns(text: string, columns: number): string {
  let [width, end] = [0, 0];
  for (const character of text) {
    width += columnsOf(character);
    if (width > columns) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** At least what a terminal takes for it. Before Hangul, the first wide script, only accents differ. */
function columnsOf(character: string): number {
  if (/^[\p{Mn}\p{Me}]$/u.test(character)) return 0;
  return character.codePointAt(0)! < 0x1100 ? 1 : 2;
}
