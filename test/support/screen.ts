// screen.ts: what a terminal shows of what is written to it.

/** A terminal's rows after a text was written, blanks at their ends left out. An escape code it does not know is an error. */
export function screen(written: string, columns = 80): string[] {
  const rows: string[][] = [[]];
  let at = 0;
  const nextRow = () => void (rows.push([]), (at = 0));
  // oxlint-disable-next-line no-control-regex -- they are what this is about
  for (const [part] of written.matchAll(/\x1b(?:\[[\d;?]*[A-Za-z])?|[^]/gu)) {
    const row = rows.at(-1)!;
    if (part === '\n') nextRow();
    else if (part === '\r') at = 0;
    else if (part === '\x1b[K') row.length = Math.min(row.length, at);
    // oxlint-disable-next-line no-control-regex
    else if (/^[\x00-\x1f\x7f-\x9f]/.test(part))
      throw new Error(`screen: unknown code ${JSON.stringify(part)}`);
    else if (/\p{Mn}/u.test(part)) row[at - 1] += part;
    else {
      const cells = isWide(part) ? [part, ''] : [part];
      if (at + cells.length > columns) nextRow();
      for (const cell of cells) {
        const now = rows.at(-1)!;
        while (now.length < at) now.push(' ');
        now[at++] = cell;
      }
    }
  }
  return rows.map((row) => row.join('').trimEnd());
}

/** CJK and emoji, as far as tests use them. */
function isWide(character: string): boolean {
  return /[\u3000-\u9fff\uac00-\ud7a3\uff00-\uff60]|\p{Emoji_Presentation}/u.test(character);
}
