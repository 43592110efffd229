// generate.ts: `gqa generate`, text from a model folder, token by token, as it is or with fewer KV heads.
import { Argument, InvalidArgumentError, Option, type Command } from 'commander';
import { measureGeneration } from '../../bench/model/generation.ts';
import type { TextTokens } from '../../bench/model/text.ts';
import { nameOf, pastTraining, sizesFor, type RunningVariant } from '../../bench/model/variants.ts';
import { formatBytes, plural } from '../../bench/text/format.ts';
import { writeSafetensors } from '../../src/checkpoint/format/file.ts';
import { GqaError } from '../../src/device/errors.ts';
import { checkToken } from '../../src/models/decoder/contextArgs.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { growingText } from '../../src/models/growingText.ts';
import { taking } from '../../src/node/command/completionValues.ts';
import { interruptible } from '../../src/node/command/interrupt.ts';
import { openNode } from '../../src/node/command/openNode.ts';
import { formatOption, seedOption } from '../../src/node/command/options.ts';
import { checkOutputOption, outputPath } from '../../src/node/command/outputOption.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { wholeNumber } from '../../src/node/command/usage.ts';
import { variantTable, type GeneratedVariant } from '../../bench/model/generated.ts';
import { generateJson } from './generateReport.ts';
import { countOption, modelOptions, realNumber, tokenIds, type ModelOptions } from './modelOptions.ts';
import { encodePrompt, openTokenizer } from './tokenizer.ts';
import { specOf, variantsOf, withFolderVariant } from './variants.ts';

interface GenerateFlags extends ModelOptions {
  readonly prompt?: string;
  readonly tokens?: readonly number[];
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
  readonly capacity?: number;
  readonly logits?: string;
  readonly stop: boolean;
  readonly output: 'md' | 'json';
}

/** Adds the `generate` command. Text goes to the program's `writeOut` as it comes, what is measured to its `writeErr`. */
export function registerGenerate(program: Command): void {
  const command = program
    .command('generate')
    .addArgument(taking(new Argument('<folder>'), { paths: 'files' }))
    .description('text from a model folder, as it is or with fewer KV heads side by side')
    .addHelpText('after', EXAMPLES)
    .action((folder: string, flags: GenerateFlags) => runGenerate(command, folder, flags));
  for (const option of [...OPTIONS, ...modelOptions()]) command.addOption(option);
}

const OPTIONS: readonly Option[] = [
  new Option(
    '--prompt <text>',
    "text to go on with, by the folder's tokenizer.json; an encoder-decoder model's source",
  ).conflicts('tokens'),
  new Option('--tokens <list>', 'the same as ids of tokens: 1,403,407').argParser(tokenIds),
  countOption('-n, --max-tokens <n>', 'tokens to add at most').default(64),
  new Option('--temperature <x>', 'above 0 draws tokens by probability; 0 takes the likeliest')
    .argParser((text: string) => realNumber(text, 0, 100))
    .default(0),
  new Option('--top-k <n>', 'draw one of the n likeliest tokens; 0 for all')
    .argParser((text: string) => wholeNumber(text, 0, 2 ** 32 - 1))
    .default(0),
  new Option('--top-p <x>', 'draw one of the likeliest tokens with this share of the probability')
    .argParser(share)
    .default(1),
  seedOption('of the draws'),
  countOption('--capacity <n>', 'tokens that there is room for; default: what the run needs'),
  new Option('--no-stop', 'go on behind tokens that end a text'),
  new Option(
    '--logits <file>',
    'also write the logits of every token of the prompt, [tokens, vocabulary]; with an encoder, of the text that was written',
  ).argParser(outputPath),
  formatOption(['md', 'json'], 'text as it comes, or everything as JSON at the end'),
];

const EXAMPLES = `
Models: Llama, Mistral, Qwen 2 and 3, Gemma 1 to 3, Phi-3, SmolLM3, GPT-2, GPT-NeoX, nanochat, T5; config.json and safetensors in a folder.
The encoder of T5 reads the prompt, and its decoder writes from its start token on.

Examples:
  gqa generate ./smollm --prompt Once -n 200
  gqa generate ./smollm --tokens 1,403,407 --temperature 0.8 --top-p 0.9 --seed 7
  gqa generate ./smollm --prompt Once --kv-heads 8,4,1 --method mean,pca`;

/** Times of the same text on a device that warms up, or is shared, differ by more than variants may. */
const ONE_AFTER_ANOTHER =
  'the variants ran one after another: `gqa bench --whole` times them interleaved, for comparing';

function share(text: string): number {
  const value = realNumber(text, 0, 1);
  if (value === 0) throw new InvalidArgumentError(`expected a number above 0, got "${text}".`);
  return value;
}

async function runGenerate(command: Command, folder: string, flags: GenerateFlags): Promise<void> {
  const output = command.configureOutput();
  const note = (line: string) => output.writeErr?.(`${line}\n`);
  if (flags.logits !== undefined) await checkOutputOption('--logits', flags.logits);
  const spec = await specOf(folder);
  const variants = variantsOf(flags, spec.layers[0]!.attention.numKvHeads);
  if (flags.logits !== undefined && variants.length > 1) {
    throw new GqaError('usage', '--logits: expected one variant, got several --kv-heads or --method');
  }
  const { prompt, text } = await promptOf(folder, flags);
  checkPrompt(spec, prompt, flags);
  const past = spec.encoder ? undefined : pastTraining(spec, prompt.length + flags.maxTokens);
  if (past !== undefined) note(`note     ${past}`);
  const { found, device } = await openNode(flags, note);
  const progress = new Progress();
  try {
    await interruptible('finished text is kept', async (signal) => {
      progress.until(signal);
      const done: GeneratedVariant[] = [];
      const { maxTokens, capacity } = flags;
      const sizes = {
        ...sizesFor(spec, prompt.length, maxTokens),
        ...(capacity !== undefined && { capacity }),
      };
      for (const variant of variants) {
        if (signal.aborted) break;
        done.push(
          await withFolderVariant(device, folder, variant, flags, sizes, progress, async (running) => {
            note(`memory   ${memoryText(running)}`);
            if (variants.length > 1 && flags.output === 'md') output.writeOut?.(`## ${nameOf(variant)}\n`);
            return runOne(
              running,
              prompt,
              flags,
              signal,
              (token) => {
                if (flags.output === 'md') output.writeOut?.(token);
              },
              text,
            );
          }),
        );
        if (flags.output === 'md') output.writeOut?.('\n');
      }
      if (flags.output === 'json') {
        output.writeOut?.(`${JSON.stringify(generateJson(folder, spec, found, done), null, 2)}\n`);
      } else note(`\n${variantTable(done, found.adapterName)}`);
      if (done.length > 1) note(ONE_AFTER_ANOTHER);
    });
  } finally {
    progress.end();
    device.destroy();
  }
}

function memoryText({ memory: { weights, kv, activations } }: RunningVariant): string {
  return `weights ${formatBytes(weights)}, KV cache ${formatBytes(kv)}, activations ${formatBytes(activations)}`;
}

/** The prompt's tokens, and how to show tokens as text where there is a tokenizer. */
async function promptOf(
  folder: string,
  { prompt, tokens }: GenerateFlags,
): Promise<{ prompt: readonly number[]; text: TextTokens | undefined }> {
  if (prompt === undefined && tokens === undefined) {
    throw new GqaError('usage', 'expected --prompt or --tokens, got neither');
  }
  if (tokens) {
    // With ids in, a folder without a tokenizer gives ids out.
    const text = await openTokenizer(folder).catch((error: unknown) => {
      if (error instanceof GqaError) return undefined;
      throw error;
    });
    return { prompt: tokens, text };
  }
  const text = await openTokenizer(folder);
  return { prompt: encodePrompt(text, prompt!), text };
}

/** Refuses what cannot be before a model is loaded. */
function checkPrompt(
  { encoder, vocabSize }: ModelSpec,
  tokens: readonly number[],
  { prompt, maxTokens, capacity }: GenerateFlags,
): void {
  const option = prompt === undefined ? '--tokens' : '--prompt';
  for (const [i, token] of tokens.entries()) checkToken(option, i, token, vocabSize);
  // The last token is given out and not taken in.
  const needed = (encoder ? 1 : tokens.length) + maxTokens - 1;
  if (capacity === undefined || capacity >= needed) return;
  const begin = encoder ? 'the start token' : `${plural(tokens.length, 'token')} of the prompt`;
  throw new GqaError(
    'usage',
    `--capacity: expected at least ${needed}, for ${begin} and ${maxTokens} more, got ${capacity}`,
  );
}

async function runOne(
  running: RunningVariant,
  prompt: readonly number[],
  flags: GenerateFlags,
  signal: AbortSignal,
  show: (text: string) => void,
  text: TextTokens | undefined,
): Promise<GeneratedVariant> {
  const { maxTokens, temperature, topK, topP, seed, stop } = flags;
  const { encoder } = running.spec;
  if (flags.logits !== undefined && !encoder) await writeLogits(flags.logits, running, prompt);
  const growing = text && growingText(text.decode);
  const options = { maxTokens, temperature, topK, topP, seed, ...(!stop && { stop: [] }) };
  const generation = await measureGeneration(running, prompt, options, {
    signal,
    onToken: (token, index) => show(growing ? growing.add(token) : `${index === 0 ? '' : ','}${token}`),
  });
  if (growing) show(growing.end());
  if (flags.logits !== undefined && encoder) {
    running.context.truncate(0, 0);
    await writeLogits(flags.logits, running, [encoder.startToken, ...generation.tokens]);
  }
  return {
    ...running,
    ...generation,
    prompt,
    ...(text && { text: text.decode(generation.tokens) }),
  };
}

/** Writes the logits of every token of a text. */
async function writeLogits(
  path: string,
  { context, spec }: RunningVariant,
  text: readonly number[],
): Promise<void> {
  const all = new Float32Array(text.length * spec.vocabSize);
  await context.logits([text], ({ position, logits }) => all.set(logits, position * spec.vocabSize));
  context.truncate(0, 0);
  await writeSafetensors(path, [
    { name: 'logits', dtype: 'F32', shape: [text.length, spec.vocabSize], data: all },
    { name: 'tokens', dtype: 'I32', shape: [text.length], data: Int32Array.from(text) },
  ]);
}
