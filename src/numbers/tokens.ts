// tokens.ts: numbers of tokens as people write them: 4096, 4k, 1M.

/** A regular expression's text for a number of tokens: two groups, digits and suffix, for `tokensOf`. */
export const TOKENS = String.raw`(\d+)([kKM]?)`;

/** Tokens from digits and a suffix: k and K for 1024, M for 1024 * 1024. */
export function tokensOf(digits: string, suffix: string): number {
  return Number(digits) * (suffix === '' ? 1 : suffix === 'M' ? 2 ** 20 : 2 ** 10);
}

const WHOLE = new RegExp(`^${TOKENS}$`);

/** The number of tokens that `text` means; undefined for anything else. */
export function parseTokens(text: string): number | undefined {
  const [, digits, suffix = ''] = WHOLE.exec(text.trim()) ?? [];
  return digits === undefined ? undefined : tokensOf(digits, suffix);
}
