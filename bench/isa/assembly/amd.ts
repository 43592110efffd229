// amd.ts: the loops of a kernel in AMD's assembly, as LLVM's disassembler writes it for RADV.
import { Flight, mainLoop, passesOf, sumOfPasses, type Line, type LoopCounts } from './loops.ts';

interface AmdLine extends Line {
  /** The instruction's name without the suffix of its encoding; '' of a label. */
  readonly name: string;
  readonly operands: string;
}

/** Waits, hints and padding: nothing that a SIMD spends a slot of arithmetic on. Waits count all the same. */
const NO_WORK = /^(s_nop|s_delay_alu|s_clause|s_code_end|v_nop|s_endpgm|s_inst_prefetch|s_setprio)/;

/** Products of floats, of one and of two halves, alone or in a sum. */
const MULTIPLIES =
  /^v_(dual_|pk_)?(mul|fma|fmac|mac|mad|fma_mix\w*|mad_mix\w*|dot2\w*?)(ak|amk|mk|_legacy)?_f(16|32)/;

const LOAD = /^(buffer|global|flat)_load/;

/** Bytes by the end of a load's name, the widest first. */
const WIDTHS: readonly (readonly [RegExp, number])[] = [
  [/b128|dwordx4/, 16],
  [/b96|dwordx3/, 12],
  [/b64|dwordx2/, 8],
  [/b32|dword$/, 4],
  [/16|short/, 2],
  [/8|byte/, 1],
];

/** The counts of the loop that loads the cache; undefined where no loop loads. */
export function amdMainLoop(text: string): LoopCounts | undefined {
  const loop = mainLoop(linesOf(text));
  return loop && countsOf(loop);
}

/** The counts of a turn of both passes over the cache; undefined where there are not two. */
export function amdPasses(text: string): LoopCounts | undefined {
  return sumOfPasses(passesOf(linesOf(text)).map(countsOf));
}

function countsOf(loop: readonly AmdLine[]): LoopCounts {
  const flight = new Flight();
  for (const { name, operands, loadBytes } of loop) {
    if (loadBytes > 0) flight.ask(loadBytes);
    const most = loadsLeft(name, operands);
    if (most !== undefined) flight.waitDownTo(most);
  }
  const count = (pattern: RegExp) => loop.filter(({ name }) => pattern.test(name)).length;
  return {
    instructions: loop.filter(({ name }) => name !== '' && !NO_WORK.test(name)).length,
    loadBytes: loop.reduce((sum, line) => sum + line.loadBytes, 0),
    inFlight: flight.inFlight,
    drains: flight.drains,
    scratch: count(/^scratch_/),
    ldsShuffles: count(/^ds_(bpermute|permute|swizzle)/),
  };
}

function linesOf(text: string): AmdLine[] {
  return text.split('\n').flatMap((line): AmdLine[] => {
    const [, label] = /^(BB\d+):/.exec(line) ?? [];
    if (label !== undefined) return [{ label, name: '', operands: '', loadBytes: 0, multiplies: false }];
    const [, full, operands = ''] = /^\s+([a-z]\w*)\s*(.*?)\s*(?:;.*)?$/.exec(line) ?? [];
    if (full === undefined) return [];
    const name = full.replace(/_e(32|64)$/, '');
    const [target] = /^s_c?branch/.test(name) ? (/BB\d+/.exec(operands) ?? []) : [];
    const loadBytes = LOAD.test(name) ? (WIDTHS.find(([pattern]) => pattern.test(name))?.[1] ?? 4) : 0;
    const multiplies = MULTIPLIES.test(name);
    const first = { name, operands, loadBytes, multiplies, ...(target !== undefined && { target }) };
    // One line of RDNA3 may hold two instructions.
    const [, second] = /:: (v_\w+)/.exec(operands) ?? [];
    if (second === undefined) return [first];
    return [first, { name: second, operands: '', loadBytes: 0, multiplies: MULTIPLIES.test(second) }];
  });
}

/** Loads that may still be on their way after an instruction; undefined where it waits for none. */
function loadsLeft(name: string, operands: string): number | undefined {
  if (name === 's_wait_loadcnt') return Number(operands);
  if (name !== 's_waitcnt') return undefined;
  const [, count] = /vmcnt\((\d+)\)/.exec(operands) ?? [];
  return count === undefined ? undefined : Number(count);
}
