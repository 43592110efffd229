// checkModel.ts: `gqa check --model`: a whole model on this device against its twin in float64, as it is or with fewer KV heads.
import { Option, type Command } from 'commander';
import { checkModel } from '../../bench/check/checkModel.ts';
import { nameOf, sizesFor } from '../../bench/model/variants.ts';
import { GqaError } from '../../src/device/errors.ts';
import { taking } from '../../src/node/command/completionValues.ts';
import { openNode } from '../../src/node/command/openNode.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { EXIT } from '../../src/node/command/usage.ts';
import { checkToken } from '../../src/models/decoder/contextArgs.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { DEFAULT_SEED, uniform } from '../../src/numbers/random.ts';
import { checkModelJson, checkModelText, type CheckedVariant } from './checkModelReport.ts';
import { countOption, modelOptions, tokenIds, type ModelOptions } from './modelOptions.ts';
import { encodePrompt, openTokenizer } from './tokenizer.ts';
import { specOf, variantsOf, withFolderVariant } from './variants.ts';

/** What the options of a model's check parse to. */
export interface CheckModelFlags extends ModelOptions {
  readonly model?: string;
  readonly prompt?: string;
  readonly tokens?: readonly number[];
  readonly maxTokens: number;
  readonly output: 'md' | 'json';
}

/** Options that only a model's check has. */
const OWN: readonly Option[] = [
  new Option(
    '--prompt <text>',
    "the model's prompt, by the folder's tokenizer.json; an encoder-decoder model's source",
  ).conflicts('tokens'),
  new Option('--tokens <list>', 'the same as ids of tokens: 1,403,407; default: 16 random ones').argParser(
    tokenIds,
  ),
  countOption('-n, --max-tokens <n>', 'greedy tokens to add to the prompt').default(8),
];

/** Options of `gqa check` for models, those of the adapter among them. `others`: attributes of options that do not go with `--model`. */
export function checkModelOptions(others: string[]): Option[] {
  const model = new Option(
    '-m, --model <name>',
    'check a whole model: a folder with config.json and safetensors',
  );
  return [taking(model, { paths: 'files' }).conflicts(others), ...OWN, ...modelOptions()];
}

/** Throws GqaError for the options of a model where there is none; `common` are attributes that go without one. */
export function refuseModelOptions(command: Command, common: readonly string[]): void {
  const given = checkModelOptions([])
    .map((option) => ({ long: option.long!, name: option.attributeName() }))
    .filter(({ name }) => !common.includes(name) && command.getOptionValueSource(name) === 'cli');
  if (given.length === 0) return;
  throw new GqaError('usage', `${given[0]!.long}: expected --model beside it, which says whose that is`);
}

/** Checks every variant that the options ask for, and sets the exit code. */
export async function runModelCheck(command: Command, folder: string, flags: CheckModelFlags): Promise<void> {
  const output = command.configureOutput();
  const spec = await specOf(folder);
  const prompt = await promptOf(folder, spec, flags);
  const variants = variantsOf(flags, spec.layers[0]!.attention.numKvHeads);
  const { found, device } = await openNode(flags, (line) => output.writeErr?.(`${line}\n`));
  const progress = new Progress();
  const { weightType, maxTokens } = flags;
  try {
    const checked: CheckedVariant[] = [];
    for (const variant of variants) {
      const began = performance.now();
      const sizes = sizesFor(spec, prompt.length, maxTokens);
      const check = await withFolderVariant(device, folder, variant, flags, sizes, progress, (running) =>
        checkModel({
          ...running,
          prompt,
          maxTokens,
          ...(weightType !== undefined && { weightType }),
          onProgress: (share) => progress.show(`checking ${nameOf(variant)}`, share),
        }),
      );
      progress.end();
      checked.push({ ...variant, ...check, seconds: (performance.now() - began) / 1000 });
    }
    const report = { folder, spec, flags, found, variants: checked };
    output.writeOut?.(
      flags.output === 'json'
        ? `${JSON.stringify(checkModelJson(report), null, 2)}\n`
        : `${checkModelText(report)}\n`,
    );
    process.exitCode = checked.every(({ pass }) => pass) ? EXIT.ok : EXIT.failure;
  } finally {
    progress.end();
    device.destroy();
  }
}

/** Tokens of a prompt where none is given. */
const PROMPT_TOKENS = 16;

async function promptOf(
  folder: string,
  { vocabSize, embedding }: ModelSpec,
  { prompt, tokens, maxTokens }: CheckModelFlags,
): Promise<readonly number[]> {
  if (tokens) {
    for (const [i, token] of tokens.entries()) checkToken('--tokens', i, token, vocabSize);
    return tokens;
  }
  if (prompt !== undefined) return encodePrompt(await openTokenizer(folder), prompt);
  const next = uniform(DEFAULT_SEED);
  const room = Math.max(1, (embedding.positions?.count ?? Infinity) - maxTokens);
  return Array.from({ length: Math.min(PROMPT_TOKENS, room) }, () => Math.floor(next() * vocabSize));
}
