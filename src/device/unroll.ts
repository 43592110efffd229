// unroll.ts: unrolls marked loops of a linked shader, so that small private arrays stay in registers on every driver.
//
// WGSL has no unroll hint, and a private array that is indexed by a loop variable goes to memory wherever the driver's
// compiler leaves the loop as it is. A loop is marked by a comment behind its opening brace:
//
//     for (var r = 0u; r < TEAM_ROWS; r++) { // unroll
//
// Its bound is the name of a constant with a literal value. Measured on SwiftShader, whose compiler unrolls nothing:
// attention 4 times faster (bench/NOTES.md).

import { boundLoops } from './boundLoops.ts';

const MARKED = /for \(var (\w+) = 0u; \1 < (\w+); \1\+\+\) \{ \/\/ unroll\n/;
const LITERAL_CONST = /^const (\w+) = (\d+)u;/gm;

/** The text with every marked loop replaced by its copies. Line numbers stay those of the text that was given. */
export function unrollLoops(text: string): string {
  const bounds = new Map([...text.matchAll(LITERAL_CONST)].map((match) => [match[1]!, Number(match[2])]));
  return expand(text, bounds);
}

function expand(text: string, bounds: ReadonlyMap<string, number>): string {
  const match = MARKED.exec(text);
  if (!match) return text;
  const [head, index, name] = match as unknown as [string, string, string];
  const count = bounds.get(name);
  if (count === undefined) throw new Error(`unroll: ${name} is not a constant with a literal value`);
  const start = match.index + head.length;
  const end = closingBrace(text, start);
  const own = text.slice(start, end);
  if (/\b(break|continue)\b/.test(own)) throw new Error(`unroll: the loop over ${name} is left early`);
  // Here, since copies have no comments, and so no marks.
  const body = boundLoops(expand(own, bounds));
  return text.slice(0, match.index) + copies(body, index, count) + expand(text.slice(end + 1), bounds);
}

/** The first copy keeps the body's lines, so that a compiler's line numbers hold; the others follow on its last line. */
function copies(body: string, index: string, count: number): string {
  const use = new RegExp(`(?<![.\\w])${index}\\b`, 'g');
  const one = (i: number) => body.replace(use, `${i}u`);
  const lines = body.split('\n').length - 1;
  if (count === 0) return '\n'.repeat(lines + 1);
  const flat = (i: number) =>
    `{ ${one(i)
      .replace(/\/\/[^\n]*/g, '')
      .replace(/\s+/g, ' ')}}`;
  const rest = Array.from({ length: count - 1 }, (_, i) => flat(i + 1));
  return `{\n${one(0)}}${rest.join('')}`;
}

/** Index of the brace that closes the block whose first character is at `from`. */
function closingBrace(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '{') depth++;
    if (text[at] === '}' && --depth === 0) return at;
  }
  throw new Error('unroll: a loop is not closed');
}
