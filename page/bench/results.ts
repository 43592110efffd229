// results.ts: which rows are on the page: planned ones, those of the run under way, or the last that were finished.
import type { RowSoFar } from '../../bench/run/rowGroup.ts';
import type { BenchResult, BenchRow, CeilingContext, RowParams } from '../../bench/schema/schema.ts';
import { loadName } from '../../bench/run/rows.ts';
import { byId } from '../shell/dom.ts';

/** What there is to show. */
export interface Shown {
  /** All planned rows, those that are interleaved in one group. */
  readonly groups: readonly (readonly RowParams[])[];
  /** Those that are finished. */
  readonly rows: readonly BenchRow[];
  /** Of the group under way: checked, and sampled so far. */
  readonly soFar: readonly RowSoFar[];
  /** Known with the first finished rows. */
  readonly ceiling: CeilingContext | undefined;
  /** Absent while a run goes on. */
  readonly result?: BenchResult;
}

/** A part of the tab that shows rows: it is called whenever they change. */
export type Draw = (shown: Shown) => void;

declare global {
  /** The result that the page shows, of the last run that finished rows. */
  var gqaResult: BenchResult | undefined;
}

interface Finished {
  readonly result: BenchResult;
  readonly groups: Shown['groups'];
}

const earlier = byId('earlier', HTMLButtonElement);

/** The results of the tab. What a run finished stays until another has finished something, and can be had back then. */
export class Results {
  readonly #draws: readonly Draw[];
  readonly #label: HTMLInputElement;
  #isLive = false;
  #planned: Shown['groups'] = [];
  #current: Finished | undefined;
  #before: Finished | undefined;

  /** The label of the machine goes into what is shown and exported, also when it is typed afterwards. */
  constructor(draws: readonly Draw[], label: HTMLInputElement) {
    this.#draws = draws;
    this.#label = label;
    label.addEventListener('input', () => {
      if (!this.#isLive) this.rest();
    });
    earlier.addEventListener('click', () => {
      [this.#current, this.#before] = [this.#before, this.#current];
      earlier.textContent = earlier.textContent === EARLIER ? LATER : EARLIER;
      this.rest();
    });
  }

  /** What would run; on the page as long as nothing is finished. */
  plan(groups: Shown['groups']): void {
    this.#planned = groups;
    if (!this.#current) this.rest();
  }

  /** The run under way. */
  live(shown: Shown): void {
    this.#isLive = true;
    earlier.disabled = true;
    this.#show(shown);
  }

  /** Rows measured one by one beside what is there: those that it has not. They are shown, and no part of the result. */
  aside(rows: readonly BenchRow[], ceiling: CeilingContext): void {
    const params = rows.map((row) => row.params);
    if (!this.#current) return this.#show({ groups: [params], rows, soFar: [], ceiling });
    const { result, groups } = this.#current;
    const known = new Set(result.results.map(({ id }) => id));
    const added = rows.filter(({ id }) => !known.has(id));
    const isOf = ([first]: Shown['groups'][number], row: BenchRow) =>
      loadName(first!) === loadName(row.params) && first!.batch === row.params.batch;
    this.#show({
      groups: groups.map((group) => [
        ...group,
        ...added.filter((row) => isOf(group, row)).map((row) => row.params),
      ]),
      rows: [...result.results, ...added],
      soFar: [],
      ceiling: result.context.ceiling,
      result,
    });
  }

  /** The read ceiling of what is shown, if anything was measured. */
  get ceiling(): CeilingContext | undefined {
    return this.#current?.result.context.ceiling;
  }

  /** A run has ended with a result, or with nothing finished: then what was there before is there again. */
  finish(result: BenchResult | undefined, groups: Shown['groups']): void {
    if (result) {
      this.#before = this.#current;
      this.#current = { result, groups };
      earlier.textContent = EARLIER;
    }
    this.rest();
  }

  /** Shows what is there when nothing runs. */
  rest(): void {
    this.#isLive = false;
    earlier.hidden = !this.#before;
    earlier.disabled = false;
    this.#name();
    if (!this.#current) return this.#show({ groups: this.#planned, rows: [], soFar: [], ceiling: undefined });
    const { result, groups } = this.#current;
    this.#show({ groups, rows: result.results, soFar: [], ceiling: result.context.ceiling, result });
  }

  #name(): void {
    if (!this.#current) return;
    const { result, groups } = this.#current;
    const { label: _, ...context } = result.context;
    const label = this.#label.value.trim();
    const named = { ...result, context: { ...context, ...(label && { label }) } };
    this.#current = { result: named, groups };
    globalThis.gqaResult = named;
  }

  #show(shown: Shown): void {
    for (const draw of this.#draws) draw(shown);
  }
}

const EARLIER = 'Show the run before';
const LATER = 'Show the later run';
