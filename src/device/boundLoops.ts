// boundLoops.ts: gives marked loops of a linked shader a literal bound, so that no driver has to be kept from running them forever.
//
// Dawn ends loops whose bound it cannot see after 2^64 turns: it counts them in two registers and tests them in each turn, which
// takes Intel's GPUs up to a quarter of the cycles, by their compiler's estimate (bench/NOTES.md). A loop over a variable that only grows needs no such counter. It
// is marked by a comment behind its opening brace:
//
//     for (var i = lane; i < count; i += WG_SIZE) { // bounded
//
// What it begins with and its step are computed anew in each turn: they have no effects, and its body does not change them.

const MARKED =
  /for \(var (\w+) = ([^;\n]+); \1 < ([^;\n]+); (?:\1\+\+|\1 \+= ([^;\n]+))\) \{ \/\/ bounded\n/g;

/** More turns than any loop takes; Dawn sees that there are not more. */
const TURNS = '2147483647u';

/** The text with every marked loop bounded. Line numbers stay. */
export function boundLoops(text: string): string {
  return text.replace(MARKED, (_, index: string, first: string, end: string, step?: string) => {
    const leave = `if ${index} >= ${end} { break; }\n`;
    if (first === '0u' && step === undefined) return `${turnsOf(index)} ${leave}`;
    const turn = `${index}_turn`;
    const walked = step === undefined ? turn : `${turn} * (${step})`;
    return `${turnsOf(turn)} let ${index} = (${first}) + ${walked}; ${leave}`;
  });
}

function turnsOf(index: string): string {
  return `for (var ${index} = 0u; ${index} < ${TURNS}; ${index}++) {`;
}
