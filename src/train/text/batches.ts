// batches.ts: tokens of a text in two parts, and windows of them to train on and to measure the loss on.
import { ShapeError } from '../../device/errors.ts';
import { checkWhole, describe } from '../../device/options.ts';
import { philox } from '../../numbers/philox.ts';

/** Tokens of a text, 32 bits each. */
export type Tokens = Uint32Array<ArrayBuffer>;

/** Windows of a text: in each row tokens that follow each other, and for each of them the one behind it. */
export interface Windows {
  /** [rows, context] */
  readonly tokens: Tokens;
  /** [rows, context]: the token that follows each. */
  readonly targets: Tokens;
}

/** Parts of a text, which share no token. */
export interface TokenParts {
  readonly training: Tokens;
  /** What no step is trained on: the end of the text. */
  readonly heldOut: Tokens;
}

/** Splits off the last `share` of the tokens, rounded down; from 0 to less than 1. Both parts are views. Throws ShapeError for another share. */
export function splitTokens(tokens: Tokens, share: number): TokenParts {
  if (!(tokens instanceof Uint32Array)) {
    throw new ShapeError(`tokens: expected a Uint32Array, got ${describe(tokens)}`);
  }
  if (!(typeof share === 'number' && share >= 0 && share < 1)) {
    throw new ShapeError(`held-out share: expected a number from 0 to less than 1, got ${describe(share)}`);
  }
  const kept = tokens.length - Math.floor(tokens.length * share);
  return { training: tokens.subarray(0, kept), heldOut: tokens.subarray(kept) };
}

/** A batch of a training run. */
export interface BatchRequest {
  readonly tokens: Tokens;
  /** 0 to 2^32 - 1. */
  readonly seed: number;
  /** The step that the batch is for, 0 to 2^32 - 1. */
  readonly step: number;
  /** Rows. */
  readonly batch: number;
  /** Tokens in a row. */
  readonly context: number;
}

/**
 * The batch of a step: windows drawn from all that the text has, each as likely as any other. The same for the same request, whichever
 * steps came before. Throws ShapeError where the text is too short for one window.
 */
export function batchAt({ tokens, seed, step, batch, context }: BatchRequest): Windows {
  checkWhole('seed', seed, 0, 2 ** 32 - 1);
  checkWhole('step', step, 0, 2 ** 32 - 1);
  checkWhole('batch', batch, 1, 2 ** 32 - 1);
  const count = windowsOf('training text', tokens, context);
  return cut(
    tokens,
    context,
    Array.from({ length: batch }, (_, row) => draw(count, seed, step, row)),
  );
}

/** Windows to measure the loss on. */
export interface HeldOutRequest {
  readonly tokens: Tokens;
  /** Rows. */
  readonly windows: number;
  /** Tokens in a row. */
  readonly context: number;
}

/**
 * As many windows as asked, the first at the beginning of the tokens, the last at their end, the others evenly between: no token is the
 * target of two where the tokens suffice. Throws ShapeError where they are too few for one window.
 */
export function heldOutWindows({ tokens, windows, context }: HeldOutRequest): Windows {
  checkWhole('windows', windows, 1, 2 ** 32 - 1);
  const last = windowsOf('held-out text', tokens, context) - 1;
  const gaps = Math.max(windows - 1, 1);
  return cut(
    tokens,
    context,
    Array.from({ length: windows }, (_, row) => Math.floor((row * last) / gaps)),
  );
}

/** How many windows there are: places at which one can begin. */
function windowsOf(what: string, tokens: Tokens, context: number): number {
  checkWhole('context', context, 1, 2 ** 32 - 1);
  if (tokens.length > context) return tokens.length - context;
  throw new ShapeError(
    `${what}: expected at least ${context + 1} tokens, a context of ${context} and the one that follows it, got ${tokens.length}`,
  );
}

/** A random number below `count`, each equally likely: what a word of 32 bits has beyond its last whole multiple of `count` is drawn again. */
function draw(count: number, seed: number, step: number, row: number): number {
  const end = 2 ** 32 - (2 ** 32 % count);
  for (let attempt = 0; ; attempt++) {
    const word = philox([step, row, attempt, 0], [seed, 0]).find((candidate) => candidate < end);
    if (word !== undefined) return word % count;
  }
}

function cut(tokens: Tokens, context: number, starts: readonly number[]): Windows {
  const rows = (shift: number) => {
    const out = new Uint32Array(starts.length * context);
    for (const [row, start] of starts.entries()) {
      out.set(tokens.subarray(start + shift, start + shift + context), row * context);
    }
    return out;
  };
  return { tokens: rows(0), targets: rows(1) };
}
