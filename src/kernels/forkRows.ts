// forkRows.ts: copies rows of a sequence to another one of its cache (shaders/cache/fork_rows.wgsl).
import source from '../../shaders/cache/fork_rows.wgsl?raw';
import sourcesOther from '../../shaders/lib/sources_other.wgsl?raw';
import sourcesOwn from '../../shaders/lib/sources_own.wgsl?raw';
import { structLayout } from '../device/structs.ts';
import { link } from '../device/wgsl.ts';
import { byteOf, headSpans, type FirstRow, type RowsLayout } from '../numbers/elements.ts';
import type { Grid, Kernel } from './kernel.ts';

const WG_SIZE = 64;

/** Workgroups of a head and span: enough for any device; a longer span is copied in several rounds. */
const MOST_GROUPS = 256;

/** The linked kernel, for caches of any shape; `across`: the rows that are copied lie in other buffers than their copies. */
export function forkRows({ across = false } = {}): Kernel {
  const libs = [across ? sourcesOther : sourcesOwn];
  return { name: 'fork_rows', source: link({ kernel: source, libs, consts: { WG_SIZE } }) };
}

structLayout(source, 'ForkStep', {});

/** u32 words of the kernel's `step` binding. */
export const FORK_STEP_WORDS = 4 * 4;

/** Rows, `kvLen` of each head, and those they go to. */
export interface ForkedRows {
  readonly from: FirstRow;
  readonly to: FirstRow;
  readonly kvLen: number;
}

/** What a fork needs to know of a layer. */
interface ForkLayout {
  readonly numKvHeads: number;
  readonly k: RowsLayout;
  readonly v: RowsLayout;
}

/** Writes the words of the kernel's `step` binding; returns the grid. */
export function setForked(words: Uint32Array, layout: ForkLayout, rows: ForkedRows): Grid {
  const spans = [layout.k, layout.v].flatMap((stored) => spansOf(stored, layout.numKvHeads, rows));
  words.set(spans.flat());
  const most = Math.max(...spans.map(([, , , count]) => count));
  return [Math.min(MOST_GROUPS, Math.ceil(most / WG_SIZE)), layout.numKvHeads, spans.length];
}

type Span = readonly [from: number, to: number, stride: number, count: number];

/** The rows, then the scales, in u32 words. */
function spansOf(stored: RowsLayout, heads: number, { from, to, kvLen }: ForkedRows): Span[] {
  const { rows, scales } = headSpans(stored);
  return [rows, scales].map((span) => [
    byteOf(span, from, heads) / 4,
    byteOf(span, to, heads) / 4,
    span.stride / 4,
    Math.ceil((kvLen * span.rowBytes) / 4),
  ]);
}
