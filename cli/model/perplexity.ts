// perplexity.ts: `gqa perplexity`, how well a model tells a text, as it is or with fewer KV heads.
import { Argument, Option, type Command } from 'commander';
import { nameOf, pastTraining, type Variant } from '../../bench/model/variants.ts';
import { formatBytes, markdownTable, type Column } from '../../bench/text/format.ts';
import { GqaError } from '../../src/device/errors.ts';
import type { Perplexity } from '../../src/models/decoder/perplexity.ts';
import { taking } from '../../src/node/command/completionValues.ts';
import { openNode } from '../../src/node/command/openNode.ts';
import { formatOption } from '../../src/node/command/options.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { countOption, modelOptions, type ModelOptions } from './modelOptions.ts';
import { readText, readTokenFile } from './tokenFile.ts';
import { openTokenizer } from './tokenizer.ts';
import { specOf, variantsOf, withFolderVariant } from './variants.ts';

interface PerplexityFlags extends ModelOptions {
  readonly text?: string;
  readonly tokens?: string;
  readonly context: number;
  readonly stride?: number;
  readonly batch: number;
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
  countOption('--context <n>', 'tokens that the model sees at once').default(512),
  countOption(
    '--stride <n>',
    'tokens from the beginning of a context to that of the next (default: as many as a context has)',
  ),
  countOption('-b, --batch <n>', 'contexts that go through the model together').default(1),
  formatOption(),
];

const EXAMPLES = `
Decoder-only models. The first token of a context is seen and not counted; with a stride below its length nothing is counted twice.

Examples:
  gqa perplexity ./smollm --text book.txt --context 1024 --stride 512
  gqa perplexity ./smollm --tokens ids.json --kv-heads 8,4,1 --method mean,pca`;

type Row = Variant & Perplexity & { readonly kvPerToken: number };

async function runPerplexity(command: Command, folder: string, flags: PerplexityFlags): Promise<void> {
  const output = command.configureOutput();
  const spec = await specOf(folder);
  if (spec.encoder) {
    throw new GqaError(
      'input',
      `${folder}: expected a decoder-only model, got one of type ${spec.type}: its decoder needs a source, which a text alone has not`,
    );
  }
  const tokens = await tokensOf(folder, flags);
  const window = Math.min(flags.context, tokens.length);
  const { batch, stride = flags.context } = flags;
  const options = { window, stride: Math.min(stride, window) };
  const past = pastTraining(spec, window);
  if (past !== undefined) output.writeErr?.(`note     ${past}\n`);
  const variants = variantsOf(flags, spec.layers[0]!.attention.numKvHeads);
  const { found, device } = await openNode(flags, (line) => output.writeErr?.(`${line}\n`));
  const progress = new Progress();
  try {
    const rows: Row[] = [];
    for (const variant of variants) {
      const sizes = { batch, capacity: window };
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
            ...(await running.context.perplexity(tokens, { ...options, onProgress })),
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
  const { tokens, window, stride } = rows[0]!;
  return `${markdownTable(COLUMNS, cells)}\n${tokens} tokens in contexts of ${window}, ${stride} apart, on "${adapter}"`;
}

async function tokensOf(folder: string, { text, tokens }: PerplexityFlags): Promise<number[]> {
  if (text !== undefined) {
    const tokenizer = await openTokenizer(folder);
    return tokenizer.encode(await readText(text));
  }
  if (tokens === undefined) throw new GqaError('usage', 'expected --text or --tokens, got neither');
  return readTokenFile(tokens);
}
