// expectedTime.ts: how long the parts of a run are expected to take, so that it can say how far it is. Pure.
import { kvLensOf } from './requests.ts';
import { shapeName } from './rows.ts';
import { mostSamplingMs, type SamplingOptions } from './sampling.ts';
import type { RowParams } from '../schema/schema.ts';

/** The read ceiling, for which the time is limited too (ceiling.ts). */
export const CEILING_MS = 2000;

/** Compiling, binding and warming up, as measured on Mesa's llvmpipe. */
const READY_MS = 500;

/**
 * Making and storing an element of K or V, and one of q times a token in the float64 reference, as measured on the server
 * core that took the times above. What matters is how these compare with each other and with the time for samples.
 */
const ELEMENT_NS = { stored: 100, reference: 200 };

/** How long the rows of a group are expected to take, one after the other, and their samples together. */
export class GroupTime {
  readonly #prepareMs: readonly number[];
  readonly #samplingMs: number;

  /** `sampleNs` is the least that a sample takes. Rows that do not fit the device take no time. */
  constructor(
    group: readonly RowParams[],
    options: SamplingOptions & { readonly check: boolean },
    sampleNs: number,
    fits: (row: RowParams) => boolean = () => true,
  ) {
    const seen = new Set<string>();
    const rows = group.filter(fits).length;
    this.#prepareMs = group.map((row) => {
      if (!fits(row)) return 0;
      // Kernels on the same shape share its data and reference.
      const first = seen.size < seen.add(shapeName(row)).size;
      return READY_MS + (first ? dataMs(row, options.check) : 0);
    });
    this.#samplingMs =
      options.reps === undefined ? mostSamplingMs(rows, options) : (options.reps * rows * sampleNs) / 1e6;
  }

  get ms(): number {
    return sum(this.#prepareMs) + this.#samplingMs;
  }

  /** The share that is done when the turn of a row to be prepared comes. */
  beforeRow(index: number): number {
    return sum(this.#prepareMs.slice(0, index)) / Math.max(1, this.ms);
  }

  /** The share that is done with so much of the samples. */
  sampled(share: number): number {
    return (sum(this.#prepareMs) + share * this.#samplingMs) / Math.max(1, this.ms);
  }
}

function dataMs(row: RowParams, check: boolean): number {
  const { batch, heads, kvHeads, headDim, capacity } = row;
  const stored = 2 * batch * kvHeads * headDim * capacity;
  const positions = row.positions ?? 1; // of a prompt some rows are checked, which take less
  const reference = check ? sum(kvLensOf(row)) * heads * headDim * positions : 0;
  return (stored * ELEMENT_NS.stored + reference * ELEMENT_NS.reference) / 1e6;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
