// benchOutput.ts: the result of `gqa bench` on its way out: rows as they finish, where the format allows, and the file.
import type { Command } from 'commander';
import type { BenchContext } from '../../bench/schema/schema.ts';
import { exportJson, isRegularFile } from '../../src/node/command/outputOption.ts';
import type { Progress } from '../../src/node/command/progress.ts';
import { reportError } from '../../src/node/command/reportError.ts';
import { EXIT } from '../../src/node/command/usage.ts';

/** A format of stdout: `jsonl` and `csv` row by row, the others when the run has ended. */
export type BenchFormat = 'md' | 'json' | 'jsonl' | 'csv';

/** What of a result its output depends on, whatever its rows are. */
interface AnyResult {
  readonly context: Pick<BenchContext, 'warnings' | 'partial'>;
  readonly results: readonly { readonly time: unknown }[];
}

/** What a run reports while it goes on. */
type AnyEvent<R extends AnyResult> =
  | { readonly type: 'progress'; readonly text: string; readonly share: number }
  | { readonly type: 'soFar'; readonly result: R }
  | { readonly type: 'failed'; readonly error: unknown }
  | { readonly type: 'row' | 'ceiling' };

/** A kind of result as text. The first line of `csv` is the header. */
export interface Reports<R> {
  readonly md: (result: R) => string;
  readonly csv: (result: R) => string;
}

/** The command that prints, its flags that say how, and the line that progress stands in. */
export interface OutputPlaces {
  readonly command: Command;
  readonly flags: { readonly output: BenchFormat; readonly exportJson?: string };
  readonly progress: Progress;
}

/**
 * Runs a benchmark to its end and puts out what it finishes. An error that cuts it short is said when it comes. The exit
 * code is 1 then, and when a row has no time.
 */
export async function putOut<R extends AnyResult>(
  events: AsyncGenerator<AnyEvent<R>, R>,
  reports: Reports<R>,
  places: OutputPlaces,
): Promise<void> {
  const { flags, progress } = places;
  const output = new BenchOutput(reports, places);
  let step = await events.next();
  for (; !step.done; step = await events.next()) {
    const { value } = step;
    if (value.type === 'progress') progress.show(value.text, value.share);
    if (value.type === 'soFar') await output.soFar(value.result);
    if (value.type === 'failed') {
      progress.end();
      process.exitCode = reportError(value.error);
    }
  }
  const result = step.value;
  if (!result.context.partial) progress.done();
  await output.end(result);
  // The Markdown report has them itself.
  if (flags.output !== 'md')
    for (const { text } of result.context.warnings) progress.line(`warning  ${text}`);
  if (result.results.some((row) => !row.time)) process.exitCode = EXIT.failure;
}

/** Takes the result so far whenever rows were finished, and the whole one in the end. */
class BenchOutput<R extends AnyResult> {
  readonly #reports: Reports<R>;
  readonly #places: OutputPlaces;
  #written = 0;

  constructor(reports: Reports<R>, places: OutputPlaces) {
    this.#reports = reports;
    this.#places = places;
  }

  /** Writes new rows and the file, so that not even the death of the process takes them. */
  async soFar(result: R): Promise<void> {
    const file = this.#places.flags.exportJson;
    // If it cannot be written in the end either, the end says so.
    if (file !== undefined && isRegularFile(file)) await exportJson(file, result).catch(() => undefined);
    const { partial: _, warnings, ...context } = result.context;
    const own = warnings.filter(({ code }) => code !== 'partial');
    // The rows themselves are whole, whatever becomes of the run.
    this.#writeRows({ ...result, context: { ...context, warnings: own } });
  }

  /** To stdout first, where a failure throws nothing: a file that cannot be written does not keep the rows from there. */
  async end(result: R): Promise<void> {
    const { output: format, exportJson: file } = this.#places.flags;
    if (format === 'md') this.#write(`${this.#reports.md(result)}\n`);
    else if (format === 'json') this.#write(`${JSON.stringify(result, null, 2)}\n`);
    else this.#writeRows(result);
    if (file !== undefined) await exportJson(file, result);
  }

  #writeRows(result: R): void {
    const { results, ...rest } = result;
    const format = this.#places.flags.output;
    if (format !== 'jsonl' && format !== 'csv') return;
    const rows = results.slice(this.#written);
    if (rows.length === 0) return;
    const first = this.#written === 0;
    this.#written = results.length;
    if (format === 'jsonl')
      return rows.forEach((row) => this.#write(`${JSON.stringify({ ...rest, ...row })}\n`));
    const lines = this.#reports.csv({ ...result, results: rows });
    this.#write(`${first ? lines : lines.slice(lines.indexOf('\n') + 1)}\n`);
  }

  #write(text: string): void {
    const { command, progress } = this.#places;
    progress.end();
    command.configureOutput().writeOut?.(text);
  }
}
