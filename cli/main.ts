// main.ts: the `gqa` command: its subcommands, and what becomes of their errors.
import { Command } from 'commander';
import { version } from '../package.json';
import { registerAttend } from './attend/attend.ts';
import { registerBench } from './bench/bench.ts';
import { registerCheck } from './check.ts';
import { registerCompletion } from './completion/completion.ts';
import { registerCompare } from './compare.ts';
import { registerConvert } from './convert/convert.ts';
import { registerDoctor } from './doctor/doctor.ts';
import { registerKv } from './kv/kv.ts';
import { reportError } from '../src/node/command/reportError.ts';
import { watchStandardStreams } from '../src/node/command/standardStreams.ts';
import { SHORT_NAMES } from '../src/node/command/options.ts';
import { registerGenerate } from './model/generate.ts';
import { registerPerplexity } from './model/perplexity.ts';
import { registerServe } from './serve/serve.ts';
import { registerReproduce } from './train/reproduce.ts';
import { registerTrain } from './train/train.ts';
import { registerUptrain } from './train/uptrain.ts';
import { registerTune } from './tune.ts';

const EXAMPLES = `
Examples:
  gqa                                             MHA, GQA and MQA side by side on this device
  gqa compare base.json new.json                  what changed between two results
  gqa tune                                        find the fastest kernel variants for this device
  gqa serve                                       the page, in a browser on this machine
  gqa doctor                                      which adapter, and what is missing
  gqa check --quick                               are the kernels right on this device?
  gqa kv llama-3.1-8b -d 8192                     size of a KV cache; needs no GPU
  gqa attend in.safetensors --out o.safetensors   attention of your own tensors
  gqa convert ./llama --kv-heads 8 --out ./gqa8   a multi-head checkpoint to a grouped-query one
  gqa generate ./smollm --prompt Once             text from a model folder
  gqa perplexity ./smollm --text book.txt --kv-heads 8,1   what fewer KV heads do to a model
  gqa train --text book.txt --layers 1 --dim 32 --context 16 --steps 20 --out ./mine   a small model, trained here
  gqa uptrain ./smollm --kv-heads 1 --base-steps 200 --context 8 --text book.txt --control --out ./mqa   merged heads, trained a little further

Exit codes: 0 fine, 1 wrong usage, a failure, a wrong result or a regression, 3 no usable adapter, 130 or 143 interrupted`;

/**
 * Runs the command with the arguments that follow its name. Sets the process's exit code and returns: the process then
 * ends by itself, its output written. Never rejects.
 */
export async function main(argv: readonly string[]): Promise<void> {
  watchStandardStreams();
  try {
    const program = createProgram();
    checkCommandName(program, argv);
    await program.parseAsync(longNames(isHelpOfHelp(argv) ? ['--help'] : argv), { from: 'user' });
  } catch (error) {
    process.exitCode = reportError(error);
  }
}

/** The program with all its commands. */
export function createProgram(): Command {
  // Commander would end the process itself, and output that is not yet written with it.
  const program = new Command('gqa')
    .description('Grouped-query attention on WebGPU: benchmark, correctness check and tools.')
    .version(version)
    .exitOverride()
    .addHelpText('after', EXAMPLES);
  for (const register of [
    registerBench,
    registerCompare,
    registerTune,
    registerCheck,
    registerAttend,
    registerKv,
    registerConvert,
    registerGenerate,
    registerPerplexity,
    registerTrain,
    registerUptrain,
    registerReproduce,
    registerServe,
    registerDoctor,
    registerCompletion,
  ]) {
    register(program);
  }
  return program;
}

/** Commander prints the program's help for `gqa help help`, but takes the word for one that it does not know. */
function isHelpOfHelp([first, second]: readonly string[]): boolean {
  return first === 'help' && second === 'help';
}

/**
 * Commander gives a word that is no command to the default command, which can only say that it is one too many. A
 * program without a default command says which was meant.
 */
function checkCommandName(program: Command, [first, second]: readonly string[]): void {
  const word = first === 'help' ? second : first;
  if (word === undefined || word.startsWith('-') || word === 'help') return;
  const names = new Command('gqa').exitOverride().showHelpAfterError('(gqa --help lists the commands)');
  for (const command of program.commands) names.command(command.name()).allowUnknownOption();
  names.parse([word], { from: 'user' });
}

function longNames(argv: readonly string[]): string[] {
  return argv.map((argument) => argument.replace(/^-\w+(?=$|=)/, (short) => SHORT_NAMES[short] ?? short));
}
