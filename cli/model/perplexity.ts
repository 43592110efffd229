// perplexity.ts: `gqa perplexity`, how well a model tells a text, as it is or with fewer KV heads.
import { Argument, Option, type Command } from 'commander';
import { nameOf, type Variant } from '../../bench/model/variants.ts';
import { formatBytes, markdownTable, plural, type Column } from '../../bench/text/format.ts';
import { GqaError } from '../../src/device/errors.ts';
import { taking } from '../../src/node/command/completionValues.ts';
import { openNode } from '../../src/node/command/openNode.ts';
import { formatOption } from '../../src/node/command/options.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { countOption, modelOptions, type ModelOptions } from './modelOptions.ts';
import { perplexityTask, type Measured, type TaskFlags } from './perplexityTask.ts';
import { specOf, variantsOf, withFolderVariant } from './variants.ts';

interface PerplexityFlags extends ModelOptions, TaskFlags {
  readonly output: 'md' | 'json';
}

/** Adds the `perplexity` command. Results go to the program's `writeOut`. */
export function registerPerplexity(program: Command): void {
  const command = program
    .command('perplexity')
    .addArgument(taking(new Argument('<folder>'), { paths: 'files' }))
    .description('how well a model tells a text, as it is or with fewer KV heads')
    .addHelpText('after', EXAMPLES)
    .action((folder: string, flags: PerplexityFlags) => runPerplexity(command, folder, flags));
  for (const option of [...OPTIONS, ...modelOptions()]) command.addOption(option);
}

const OPTIONS: readonly Option[] = [
  taking(new Option('--text <file>', "a text, by the folder's tokenizer.json").conflicts('tokens'), {
    paths: 'files',
  }),
  taking(new Option('--tokens <file>', 'the same as a JSON list of ids of tokens'), { paths: 'files' }),
  taking(
    new Option(
      '--source <file>',
      'what an encoder reads: a line for each line of --text, which are the targets then',
    ).conflicts('sourceTokens'),
    { paths: 'files' },
  ),
  taking(
    new Option(
      '--source-tokens <file>',
      'the same as a JSON list of lists of ids of tokens, as --tokens then',
    ),
    { paths: 'files' },
  ),
  countOption('--context <n>', 'tokens that the model sees at once').default(512),
  countOption(
    '--stride <n>',
    'tokens from the beginning of a context to that of the next (default: as many as a context has)',
  ),
  countOption('-b, --batch <n>', 'contexts, or targets, that go through the model together').default(1),
  formatOption(),
];

const EXAMPLES = `
The first token of a context is seen and not counted; with a stride below its length nothing is counted twice.
A model with an encoder (T5) tells targets, each whole, given its source: every token counts, from the one behind the start token on.

Examples:
  gqa perplexity ./smollm --text book.txt --context 1024 --stride 512
  gqa perplexity ./smollm --tokens ids.json --kv-heads 8,4,1 --method mean,pca
  gqa perplexity ./t5 --source articles.txt --text summaries.txt -b 8`;

type Row = Variant & Measured & { readonly kvPerToken: number };

async function runPerplexity(command: Command, folder: string, flags: PerplexityFlags): Promise<void> {
  const output = command.configureOutput();
  const spec = await specOf(folder);
  if (spec.encoder) refuseWindows(command);
  const { sizes, note, measure } = await perplexityTask(spec, folder, flags);
  if (note !== undefined) output.writeErr?.(`note     ${note}\n`);
  const variants = variantsOf(flags, spec.layers[0]!.attention.numKvHeads);
  const { found, device } = await openNode(flags, (line) => output.writeErr?.(`${line}\n`));
  const progress = new Progress();
  try {
    const rows: Row[] = [];
    for (const variant of variants) {
      const { memory, ...result } = await withFolderVariant(
        device,
        folder,
        variant,
        flags,
        sizes,
        progress,
        async (running) => {
          const onProgress = (share: number) => progress.show(nameOf(variant), share);
          return {
            memory: running.memory,
            ...(await measure(running.context, onProgress)),
          };
        },
      );
      rows.push({ ...variant, ...result, kvPerToken: memory.kvPerToken });
    }
    progress.end();
    const adapter = { name: found.adapterName, origin: found.origin };
    if (flags.output === 'json') {
      const results = rows.map(({ method = null, ...row }) => ({ method, ...row }));
      output.writeOut?.(`${JSON.stringify({ folder, adapter, variants: results }, null, 2)}\n`);
    } else output.writeOut?.(`${perplexityTable(rows, found.adapterName)}\n`);
  } finally {
    progress.end();
    device.destroy();
  }
}

/** Windows cut a text, and targets are not cut. */
function refuseWindows(command: Command): void {
  const given = ['context', 'stride'].find((name) => command.getOptionValueSource(name) === 'cli');
  if (given === undefined) return;
  throw new GqaError(
    'usage',
    `--${given}: expected a decoder-only model: with an encoder targets go through whole`,
  );
}

const COLUMNS: readonly Column[] = [
  { title: 'KV heads', align: 'right' },
  { title: 'method', align: 'left' },
  { title: 'nats/token', align: 'right' },
  { title: 'perplexity', align: 'right' },
  { title: 'KV bytes/token', align: 'right' },
];

function perplexityTable(rows: readonly Row[], adapter: string): string {
  const cells = rows.map(({ kvHeads, method, nll, perplexity: value, kvPerToken }) => [
    String(kvHeads),
    method ?? 'as it is',
    nll.toFixed(4),
    value.toFixed(3),
    formatBytes(kvPerToken),
  ]);
  return `${markdownTable(COLUMNS, cells)}\n${countedText(rows[0]!)}, on "${adapter}"`;
}

function countedText(measured: Measured): string {
  if ('pairs' in measured) {
    return `${plural(measured.tokens, 'token')} of ${plural(measured.pairs, 'target')}, given their sources`;
  }
  const { tokens, window, stride } = measured;
  return `${tokens} tokens in contexts of ${window}, ${stride} apart`;
}
