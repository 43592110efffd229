// intel.ts: the loops of a kernel in Intel's assembly, as Mesa's brw writes it.
import { Flight, mainLoop, passesOf, sumOfPasses, type Line, type LoopCounts } from './loops.ts';

interface IntelLine extends Line {
  /** The instruction's name; '' of a label. */
  readonly name: string;
  /** The scoreboard's tokens that it waits for. */
  readonly waits: readonly string[];
  /** The token of its own message; a message waits for the one that had its token before. */
  readonly token: string;
  readonly scratch: boolean;
}

/** The counts of the loop that loads the cache; undefined where no loop loads. */
export function intelMainLoop(text: string): LoopCounts | undefined {
  const loop = mainLoop(linesOf(text));
  return loop && countsOf(loop);
}

/** The counts of a turn of both passes over the cache; undefined where there are not two. */
export function intelPasses(text: string): LoopCounts | undefined {
  return sumOfPasses(passesOf(linesOf(text)).map(countsOf));
}

function countsOf(loop: readonly IntelLine[]): LoopCounts {
  const flight = new Flight();
  for (const { name, waits, token, loadBytes } of loop) {
    for (const each of [...waits, token]) flight.waitFor(each);
    if (name === 'sync allwr') flight.waitDownTo(0);
    if (loadBytes > 0) flight.ask(loadBytes, token);
  }
  return {
    instructions: loop.filter(({ name }) => !NO_WORK.test(name)).length,
    loadBytes: loop.reduce((sum, line) => sum + line.loadBytes, 0),
    inFlight: flight.inFlight,
    drains: flight.drains,
    scratch: loop.filter(({ scratch }) => scratch).length,
  };
}

const INSTRUCTION = /^(?:\([^)]*\) )?([a-z][\w.]*(?: (?:nop|allrd|allwr|bar))?)\(\d+\)/;

/** Products of floats, alone or in a sum. */
const MULTIPLIES = /^(?:\([^)]*\) )?(mul|mad|mac)[^ ]*\(\d+\) +\S+<\d>H?F /;

/** Labels, waits and the jump back. */
const NO_WORK = /^($|sync|while$)/;

const NOTHING = { name: '', waits: [], token: '', scratch: false, loadBytes: 0, multiplies: false };

/** A message stands on the line after its `send`, with the annotations. */
function linesOf(text: string): IntelLine[] {
  const joined = text.replaceAll(/\n +(?=[^\n]*MsgDesc)/g, ' ');
  return joined.split('\n').flatMap((line): IntelLine[] => {
    const [, label] = /^(LABEL\d+):/.exec(line) ?? [];
    if (label !== undefined) return [{ label, ...NOTHING }];
    const [, name] = INSTRUCTION.exec(line) ?? [];
    if (name === undefined) return [];
    const [, target] = name === 'while' ? (/JIP:\s+(LABEL\d+)/.exec(line) ?? []) : [];
    const [annotations = ''] = /\{[^{}]*\}/.exec(line) ?? [];
    return [
      {
        name,
        waits: Array.from(annotations.matchAll(/\$(\d+)\.dst/g), ([, token]) => token!),
        token: /\$(\d+)(?!\d|\.)/.exec(annotations)?.[1] ?? '',
        scratch: isScratch(line),
        loadBytes: bytesLoaded(line),
        multiplies: MULTIPLIES.test(line),
        ...(target !== undefined && { target }),
      },
    ];
  });
}

/** Spilled registers: surface 253 of Xe LP; later the surface of a state index, where buffers have a binding table's. */
function isScratch(line: string): boolean {
  return /MsgDesc: \(DC OWORD block \w+, bti 253|ugm MsgDesc: \( (load|store)[^)]*, ss \)/.test(line);
}

/** What an invocation gets of a storage buffer by a message; surface 254 is workgroup memory, 253 all memory by address. */
function bytesLoaded(line: string): number {
  const [, surface, disabled] =
    /MsgDesc: \((?:DC )?untyped surface read, Surface = (\d+), SIMD\d+, Mask = (0x[0-9a-f]+)\)/.exec(line) ??
    [];
  if (surface !== undefined) return Number(surface) < 253 ? 4 * channels(Number(disabled)) : 0;
  const [, bits, vector = '1', rest] =
    /ugm MsgDesc: \( load(?:_cmask)?, a\d+, d(\d+)\w*(?:, V(\d+))?,([^)]*)\)/.exec(line) ?? [];
  // Transposed loads are of constants, one for all invocations.
  if (bits === undefined || /transpose| ss $/.test(rest!)) return 0;
  return (Number(bits) / 8) * Number(vector);
}

/** Channels of four that a mask leaves enabled. */
function channels(disabled: number): number {
  return [1, 2, 4, 8].filter((bit) => (disabled & bit) === 0).length;
}
