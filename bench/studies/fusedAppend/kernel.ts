// kernel.ts: decode_registers with the append of its own step in it, made of the product's text and libs.
import appendKvSource from '../../../shaders/cache/append_kv.wgsl?raw';
import registersSource from '../../../shaders/attention/decode_registers.wgsl?raw';
import { link, qualified } from '../../../src/device/wgsl.ts';
import {
  registersConsts,
  registersLibs,
  type RegistersVariant,
} from '../../../src/kernels/decodeRegisters.ts';
import type { Kernel } from '../../../src/kernels/kernel.ts';
import { SUBGROUP, type CacheFormat } from '../../../src/kernels/lib.ts';
import { HALVES, type RowFormats } from '../../../src/kernels/rowFormats.ts';
import type { GqaShape } from '../../../src/kernels/shape.ts';
import { ROPE_LOW } from '../../../src/numbers/rope.ts';
import appendFresh from './append_fresh.wgsl?raw';
import queriesStored from './queries_stored.wgsl?raw';
import rowF16 from './row_f16.wgsl?raw';
import rowsPlain from './rows_plain.wgsl?raw';
import rowsTurned from './rows_turned.wgsl?raw';

/**
 * Kernels: one that only attends, but may write to the cache; those that append before they attend, and turn K and q too or not; those that
 * do all but attend.
 */
export type Fusing = 'writable' | 'plain' | 'turned' | 'plain alone' | 'turned alone';

/** What the lib of a row takes from the libs of K's and V's elements. */
const OF_ELEMENTS = ['cache', 'prepared', 'ROW_WORDS', 'WORD_VEC4S', 'Word'];

export const ROW_FORMATS: RowFormats = { q: 'f32', o: 'f32', lse: false };

const CACHE: CacheFormat = { kType: 'f16', vType: 'f16' };

/** The linked kernel, for f16 and no pages. */
export function fusedAppendKernel(
  shape: GqaShape,
  variant: RegistersVariant,
  subgroupSize: number | undefined,
  fusing: Fusing,
): Kernel {
  const own = [
    appendFresh,
    appendLibOf(appendKvSource),
    HALVES,
    ...(['k', 'v'] as const).map((name) => qualified(name, rowF16, OF_ELEMENTS)),
    `const ROPE_LOW = ${ROPE_LOW}u;`,
    fusing.startsWith('turned') ? rowsTurned : rowsPlain,
    ...(fusing === 'turned alone' ? [queriesStored] : []),
  ];
  return {
    name: `decode_registers, ${fusing}`,
    source: link({
      kernel: kernelText(fusing),
      enables: ['subgroups'],
      subgroupSize,
      libs: [
        SUBGROUP,
        ...registersLibs(shape, CACHE, variant, ROW_FORMATS),
        ...(fusing === 'writable' ? [] : own),
      ],
      consts: registersConsts(shape, CACHE, variant),
    }),
  };
}

/** The product's text with the calls in it. */
function kernelText(fusing: Fusing): string {
  const writable = ['k', 'v'].reduce(
    (text, name) =>
      replaced(text, `var<storage, read> ${name}_cache`, `var<storage, read_write> ${name}_cache`),
    registersSource,
  );
  if (fusing === 'writable') return writable;
  const idle = 'if is_idle(work) {\n    return;\n  }\n';
  const append = `${idle}  append_fresh(work, me);\n`;
  if (fusing.endsWith('alone')) {
    const store = fusing === 'turned alone' ? '  store_queries(work, lane_of_work(work, me));\n' : '';
    const [begin, end] = [writable.indexOf(idle), writable.indexOf('// The rounds with keys')];
    return `${writable.slice(0, begin)}${append}${store}}\n\n${writable.slice(end)}`;
  }
  const appending = replaced(writable, idle, append);
  if (fusing === 'plain') return appending;
  const zeros = 'var queries = Queries();\n';
  const turning = replaced(appending, zeros, `${zeros}  let turns = lane_turns(work, at);\n`);
  return replaced(
    turning,
    'query_vec4(row + min(d4, D4 - 1u))',
    'turned_query(row, min(d4, D4 - 1u), turns[w * K_WORD_VEC4S + i])',
  );
}

function replaced(text: string, what: string, by: string): string {
  const parts = text.split(what);
  if (parts.length !== 2) throw new Error(`expected one "${what}", got ${parts.length - 1}`);
  return parts.join(by);
}

/** What append_kv knows of elements that are lost. */
function appendLibOf(text: string): string {
  const constants = text.match(/^const (INFINITY|LEAST_NORMAL)_BITS = .*$/gm) ?? [];
  const [begin, end] = ['// Elements of a vec4 that their type', '// Where the row of a head'].map((mark) =>
    text.indexOf(mark),
  );
  return [...constants, text.slice(begin, end)].join('\n');
}
