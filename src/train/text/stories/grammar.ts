// grammar.ts: context-free rules, and texts that they produce.

/** What each symbol may become: texts with symbols in braces. */
export type Rules = ReadonlyMap<string, readonly string[]>;

/**
 * Reads rules: lines `symbol = text | text`, a line that begins with a blank goes on with the one before. ¶ is a line end. `{symbol}` in a text
 * stands for what the symbol becomes, `{Symbol}` for that with a capital letter in front.
 */
export function parseRules(source: string): Rules {
  const lines = source.replace(/\n +/g, ' ').split('\n');
  return new Map(
    lines
      .filter((line) => line !== '')
      .map((line) => {
        const [symbol, texts] = line.split(' = ') as [string, string];
        return [symbol, texts.split('|').map((text) => text.trim().replaceAll('¶', '\n'))];
      }),
  );
}

/** The symbols that a text has, without capitals. */
export function symbolsOf(text: string): string[] {
  return [...text.matchAll(SYMBOL)].map(([, symbol]) => uncapitalised(symbol!));
}

/**
 * A text of a symbol: `words` are what some symbols stand for in all of it, each other becomes one of its texts, each equally likely.
 * `next` gives uniform numbers in [0, 1).
 */
export function produce(
  rules: Rules,
  words: ReadonlyMap<string, string>,
  symbol: string,
  next: () => number,
): string {
  const word = words.get(symbol);
  if (word !== undefined) return word;
  const texts = rules.get(symbol);
  if (texts === undefined) throw new Error(`grammar: there is no symbol ${symbol}`);
  return pick(texts, next).replace(SYMBOL, (_, name: string) => {
    const text = produce(rules, words, uncapitalised(name), next);
    return name === uncapitalised(name) ? text : capitalised(text);
  });
}

/** One of a list, each equally likely. */
export function pick<T>(list: readonly T[], next: () => number): T {
  return list[Math.floor(next() * list.length)]!;
}

const SYMBOL = /\{([A-Za-z.]+)\}/g;

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function uncapitalised(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
