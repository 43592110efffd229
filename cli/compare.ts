// compare.ts: `gqa compare`, result files against the first, row by row, with verdicts and the conditions that differ. Needs no GPU.
import { Argument, InvalidArgumentError, Option, type Command } from 'commander';
import {
  compareResults,
  failures,
  openRows,
  type Comparison,
  STANDARD_MARGIN,
  type FailOn,
  type Side,
} from '../bench/report/compare.ts';
import { compareJson, compareMarkdown, compareWarnings } from '../bench/report/compareReport.ts';
import { taking } from '../src/node/command/completionValues.ts';
import { formatOption } from '../src/node/command/options.ts';
import { readComparableFile } from '../bench/schema/readResultFile.ts';
import { EXIT } from '../src/node/command/usage.ts';

interface CompareFlags {
  readonly margin: number;
  readonly failOn?: FailOn;
  readonly output: 'md' | 'json';
}

/**
 * Adds the `compare` command. Results go to the program's `writeOut`. The exit code is 1 when there was nothing to
 * compare or `--fail-on` was broken.
 */
export function registerCompare(program: Command): void {
  const command = program
    .command('compare')
    .description('result files row by row: what got faster or slower, and what else was different')
    .addArgument(
      resultFile('<A.json>', 'a result of gqa bench (--export-json) or of the page: what it was before'),
    )
    .addArgument(resultFile('<B.json...>', 'others: what it is now; each is compared with the first'))
    .addHelpText('after', HELP)
    .action((a: string, others: string[], flags: CompareFlags) => run(command, a, others, flags));
  for (const option of OPTIONS) command.addOption(option);
}

function resultFile(name: string, description: string): Argument {
  return taking(new Argument(name, description), { paths: 'files' });
}

const OPTIONS: readonly Option[] = [
  new Option('--margin <percent>', 'a change known to be smaller than this, either way, is none')
    .argParser(percentage)
    .default(STANDARD_MARGIN, `${100 * STANDARD_MARGIN}%`),
  new Option(
    '--fail-on <what>',
    'exit code 1 for a regression, or for any row not shown to be equivalent',
  ).choices(['regression', 'any']),
  formatOption(),
];

const HELP = `
Rows are joined by their names. Each gets the change of its median and a 95 % interval of it (a seeded bootstrap of the
samples: the same files give the same numbers), and one of four verdicts:
  equivalent     the whole interval lies within the margin
  slower         else, the whole interval lies above zero
  faster         else, the whole interval lies below zero
  inconclusive   else, or with fewer than 6 samples in either file, or when the row did not settle in either
A regression is a row that is slower, or that had a time in A and has none in B; an inconclusive row is none, and how many
there are is said. Results of different suites get no verdicts: their times are not of the same thing.
Results of gqa bench --whole are compared with their like: a row's name is its model's folder or preset, its KV heads and method,
depth or prompt, and batch. Results of the two kinds are not compared with each other.
Parameters are compared as values, whether stated or by default, in whatever order.

Examples:
  gqa compare base.json new.json                                     what a change did
  gqa compare base.json new.json --margin 1% --fail-on regression    in a script: exit code 1 if slower
  gqa compare node.json chrome.json                                  the same machine, in Node and in a browser
  gqa compare monday.json tuesday.json wednesday.json                 each with the first
  gqa compare laptop.json desktop.json -o json > compared.json        of several pairs a list`;

function percentage(text: string): number {
  const match = /^(\d*\.?\d+) ?%?$/.exec(text.trim());
  const percent = Number(match?.[1]);
  if (!match || percent >= 100)
    throw new InvalidArgumentError(`expected a share such as 2%, below 100%, got "${text}".`);
  return percent / 100;
}

function run(
  command: Command,
  fileA: string,
  others: readonly string[],
  { margin, failOn, output }: CompareFlags,
): void {
  const [a, ...sides] = [fileA, ...others].map((name): Side => ({ name, result: readComparableFile(name) }));
  const comparisons = sides.map((b) => compareResults(a!, b, margin));
  const broken = comparisons.map((comparison) => (failOn ? failures(comparison, failOn) : []));
  command.configureOutput().writeOut?.(`${textOf(comparisons, output)}\n`);
  for (const [i, comparison] of comparisons.entries()) {
    // The Markdown report has them itself.
    const warnings = output === 'json' ? compareWarnings(comparison) : [];
    for (const warning of warnings) process.stderr.write(`warning  ${warning}\n`);
    if (failOn) process.stderr.write(verdictLines(comparison, failOn, broken[i]!));
    if (broken[i]!.length > 0 || comparison.rows.length === 0) process.exitCode = EXIT.failure;
  }
}

function textOf(comparisons: readonly Comparison[], output: CompareFlags['output']): string {
  if (output === 'md') return comparisons.map(compareMarkdown).join('\n\n');
  const documents = comparisons.map(compareJson);
  return JSON.stringify(documents.length === 1 ? documents[0] : documents, null, 2);
}

/** What `--fail-on` came to, as far as there is something to say. */
function verdictLines(comparison: Comparison, failOn: FailOn, broken: readonly string[]): string {
  const { open, all } = openRows(comparison);
  const uncounted = failOn === 'regression' && open > 0;
  return [
    ...(broken.length > 0 ? [`failed   --fail-on ${failOn}: ${broken.join(', ')}\n`] : []),
    ...(uncounted
      ? [`note     --fail-on regression: ${open} of ${all} rows are inconclusive and do not count\n`]
      : []),
  ].join('');
}
