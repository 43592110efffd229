// compare.ts: `gqa compare`, two result files row by row, with verdicts and the conditions that differ. Needs no GPU.
import { InvalidArgumentError, Option, type Command } from 'commander';
import { compareResults, failures, type FailOn, type Side } from '../../bench/compare.ts';
import { compareJson, compareMarkdown, compareWarnings } from '../../bench/compareReport.ts';
import { formatOption } from './options.ts';
import { readResultFile } from './readResultFile.ts';
import { EXIT } from './usage.ts';

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
    .description('two result files row by row: what got faster or slower, and what else was different')
    .argument('<A.json>', 'a result of gqa bench (--export-json) or of the page: what it was before')
    .argument('<B.json>', 'another one: what it is now')
    .addHelpText('after', HELP)
    .action((a: string, b: string, flags: CompareFlags) => run(command, a, b, flags));
  for (const option of OPTIONS) command.addOption(option);
}

const OPTIONS: readonly Option[] = [
  new Option('--margin <percent>', 'a change known to be smaller than this, either way, is none')
    .argParser(percentage)
    .default(0.02, '2%'),
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
  inconclusive   else, or with fewer than 6 samples in either file
A regression is a row that is slower, or that had a time in A and has none in B. Results of different suites get no
verdicts: their times are not of the same thing.

Examples:
  gqa compare base.json new.json                                     what a change did
  gqa compare base.json new.json --margin 1% --fail-on regression    in a script: exit code 1 if slower
  gqa compare node.json chrome.json                                  the same machine, in Node and in a browser
  gqa compare laptop.json desktop.json -o json > compared.json`;

function percentage(text: string): number {
  const match = /^(\d*\.?\d+) ?%?$/.exec(text.trim());
  const percent = Number(match?.[1]);
  if (!match || percent >= 100)
    throw new InvalidArgumentError(`expected a share such as 2%, below 100%, got "${text}".`);
  return percent / 100;
}

function run(command: Command, fileA: string, fileB: string, { margin, failOn, output }: CompareFlags): void {
  const [a, b] = [fileA, fileB].map((name) => ({ name, result: readResultFile(name) })) as [Side, Side];
  const comparison = compareResults(a, b, margin);
  const broken = failOn ? failures(comparison, failOn) : [];
  const json = output === 'json';
  const text = json ? JSON.stringify(compareJson(comparison), null, 2) : compareMarkdown(comparison);
  command.configureOutput().writeOut?.(`${text}\n`);
  // The Markdown report has them itself.
  if (json) for (const warning of compareWarnings(comparison)) process.stderr.write(`warning  ${warning}\n`);
  if (broken.length > 0) {
    process.stderr.write(`failed   --fail-on ${failOn}: ${broken.join(', ')}\n`);
  }
  if (broken.length > 0 || comparison.rows.length === 0) process.exitCode = EXIT.failure;
}
