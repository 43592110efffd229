// attend.ts: `gqa attend`, attention of tensors in a file, so that anyone can compare with another implementation.
import { statSync } from 'node:fs';
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { version } from '../../package.json';
import { RANGES_HELP } from '../../bench/report/kvRanges.ts';
import { notFiniteText } from '../../src/reference/notFinite.ts';
import { storeProblem, type StoredProblem } from '../../src/reference/problem.ts';
import { writeSafetensors, type TensorData } from '../../src/checkpoint/format/file.ts';
import { DECODE_KERNELS, type KernelChoice } from '../../src/decode/planContext.ts';
import { GqaError } from '../../src/device/errors.ts';
import { KV_TYPES, type KvType } from '../../src/numbers/elements.ts';
import { readAttendInput, type AttendInput, type InputShape } from './attendInput.ts';
import { lostLines } from './attendLost.ts';
import { adapterOptions, openNode, type AdapterOptions } from '../../src/node/command/openNode.ts';
import { checkOutputOption, isStdout, outputPath } from '../../src/node/command/outputOption.ts';
import { runQuietly } from '../runQuietly.ts';
import { readTuningFor } from '../../src/node/tuningFile.ts';
import { EXIT } from '../../src/node/command/usage.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { cacheLayout } from '../../src/cache/layout.ts';
import { checkBufferBytes } from '../../src/device/deviceFacts.ts';
import { taking } from '../../src/node/command/completionValues.ts';

interface AttendOptions extends AdapterOptions {
  readonly out: string;
  readonly kvDtype: KvType;
  readonly kernel: KernelChoice;
  readonly causal: boolean;
  readonly scale?: number;
}

/**
 * Adds the `attend` command to the program. A line about the result goes to the program's `writeOut`, warnings and notes
 * to its `writeErr`. Bad input rejects with a GqaError, and the output file is then as it was. The process's exit code is 1
 * when the result that was written is not finite.
 */
export function registerAttend(program: Command): void {
  const attend = program
    .command('attend')
    .addArgument(taking(new Argument('<input>'), { paths: 'files' }))
    .description('attention of the tensors in a safetensors file, to compare with another implementation')
    .addHelpText('after', HELP)
    .action((input: string, options: AttendOptions) => runAttend(attend, input, options));
  for (const option of [...OPTIONS, ...adapterOptions()]) attend.addOption(option);
}

const OPTIONS: readonly Option[] = [
  new Option('--out <file>', 'safetensors file to write').argParser(outputPath).makeOptionMandatory(),
  // -o is a format in every command; here it was the file.
  new Option('-o, --output <file>').hideHelp().argParser((text: string) => {
    throw new InvalidArgumentError(`-o is the format of a report; expected --out ${text} for the file.`);
  }),
  new Option('--kv-dtype <type>', 'element type of the cache that k and v go through')
    .choices(KV_TYPES)
    .default('f32'),
  new Option('--kernel <name>', 'kernel').choices(['auto', ...DECODE_KERNELS]).default('auto'),
  new Option('--scale <x>', 'factor on q . k (default: 1 / sqrt(D))').argParser(finiteNumber),
  new Option('--no-causal', 'every query sees every key'),
];

const HELP = `
Input:   q [B, Hq, Lq, D], k and v [B, Hkv, T, D], each F32, F16 or BF16; kv_lens [B], integers, is optional:
         the tokens of each sequence that are valid. Lq is 1 to 8. Causal: query i sees all but the last Lq - 1 - i keys.
Output:  o [B, Hq, Lq, D] and lse [B, Hq, Lq] (natural logarithm) as F32; a query that sees no key has o 0, lse -3e38.
         A query with a score past 2.9e38, or with NaN or infinity in what it reads, has NaN: said, with exit code 1.

${RANGES_HELP}

Examples:
  gqa attend in.safetensors --out out.safetensors
  gqa attend in.safetensors --out out.safetensors --kv-dtype f16 --kernel plain --no-causal --scale 0.1`;

async function runAttend(command: Command, path: string, options: AttendOptions): Promise<void> {
  const progress = new Progress();
  try {
    // Texts alone: of what adapter and file make of these parts no share would be true.
    await attendFile(command, path, options, progress);
  } finally {
    progress.end();
  }
}

async function attendFile(
  command: Command,
  path: string,
  options: AttendOptions,
  progress: Progress,
): Promise<void> {
  const output = command.configureOutput();
  const note = (line: string) => output.writeErr?.(`${line}\n`);
  await checkTarget(path, options.out);
  progress.show(`reading ${path}`);
  const input = await readAttendInput(path, (shape) => checkAdapter(path, shape, options));
  if (input.unused.length > 0) note(`note     tensors without use here: ${input.unused.join(', ')}`);
  progress.show(`storing k and v as ${options.kvDtype}`);
  for (const line of lostLines(input, options.kvDtype)) note(`warning  ${line}`);
  const problem = problemOf(input, options);
  progress.end(); // what Dawn says of an adapter does not pass through this process's streams
  const { found, device } = await openNode(options, note);
  try {
    const tuning = readTuningFor(device, note);
    progress.show(`computing on "${found.adapterName}"`);
    const { o, lse } = await runQuietly(device, problem, { kernel: options.kernel, tuning });
    await device.idle();
    const metadata = metadataOf(problem, options, found.adapterName);
    progress.show(`writing ${options.out}`);
    await writeSafetensors(options.out, resultTensors(input, o, lse), metadata);
    sayNotFinite(problem, o, lse, note);
  } finally {
    device.destroy();
  }
  const line = `${summary(problem, options)} on "${found.adapterName}": o and lse are in ${options.out}\n`;
  // Behind the tensors it would be a part of them.
  if (isStdout(options.out)) output.writeErr?.(line);
  else output.writeOut?.(line);
}

// A device of WebGPU's guaranteed limits takes bindings of that size: only what exceeds them is a question.
const SMALL_BYTES = 2 ** 27;

/** Refuses, before they are read, tensors that no buffer of the adapter could hold. */
async function checkAdapter(path: string, shape: InputShape, options: AttendOptions): Promise<void> {
  const { batch, numQHeads, numKvHeads, qLen, capacity, headDim, vHeadDim } = shape;
  const kType = options.kvDtype;
  const { kBytes, vBytes } = cacheLayout({ batch, numKvHeads, capacity, headDim, vHeadDim, kType });
  const [qBytes, oBytes] = [headDim, vHeadDim].map((dim) => batch * numQHeads * qLen * dim * 4);
  if (Math.max(kBytes, vBytes, qBytes!, oBytes!) <= SMALL_BYTES) return;
  const { device } = await openNode(options, () => {});
  try {
    const tensor = (name: string, axes: readonly number[], type: string, bytes: number) =>
      checkBufferBytes(device.facts, `${path}: tensor "${name}" [${axes.join(', ')}] as ${type}`, bytes);
    tensor('k', [batch, numKvHeads, capacity, headDim], kType, kBytes);
    tensor('v', [batch, numKvHeads, capacity, vHeadDim], kType, vBytes);
    tensor('q', [batch, numQHeads, qLen, headDim], 'f32', qBytes!);
    tensor('o', [batch, numQHeads, qLen, vHeadDim], 'f32', oBytes!);
  } finally {
    device.destroy();
  }
}

/** Refuses, before any work, a path that could not be written or would overwrite the input. */
async function checkTarget(input: string, output: string): Promise<void> {
  await checkOutputOption('--out', output);
  const source = statSync(input, { throwIfNoEntry: false });
  const target = statSync(output, { throwIfNoEntry: false });
  if (target && source && target.dev === source.dev && target.ino === source.ino) {
    throw new GqaError('output', `--out "${output}": expected another file than the input`);
  }
}

const CAUSES = 'q, k or v hold such values, or scores leave the range (past 2.9e38) or sums that of f32';

function sayNotFinite(
  problem: StoredProblem,
  o: Float32Array,
  lse: Float32Array,
  note: (line: string) => void,
): void {
  const text = notFiniteText(problem, o, lse);
  if (text === undefined) return;
  note(`warning  ${text}: ${CAUSES}`);
  process.exitCode = EXIT.failure;
}

function problemOf(input: AttendInput, { kvDtype, causal, scale }: AttendOptions): StoredProblem {
  const { unused: _, ...problem } = input;
  return storeProblem({ ...problem, causal, kType: kvDtype, ...(scale !== undefined && { smScale: scale }) });
}

function resultTensors(
  { batch, numQHeads, qLen, vHeadDim }: AttendInput,
  o: Float32Array,
  lse: Float32Array,
): TensorData[] {
  return [
    { name: 'o', dtype: 'F32', shape: [batch, numQHeads, qLen, vHeadDim], data: o },
    { name: 'lse', dtype: 'F32', shape: [batch, numQHeads, qLen], data: lse },
  ];
}

function metadataOf(
  { smScale, causal }: StoredProblem,
  { kernel, kvDtype }: AttendOptions,
  adapter: string,
): Record<string, string> {
  return {
    tool: `gqa-webgpu ${version}`,
    adapter,
    kernel,
    kv_dtype: kvDtype,
    scale: String(smScale),
    causal: String(causal),
  };
}

function summary(problem: StoredProblem, { kernel, kvDtype }: AttendOptions): string {
  const { batch, numQHeads, numKvHeads, qLen, capacity, headDim, vHeadDim } = problem;
  const kv = (dim: number) => `[${batch}, ${numKvHeads}, ${capacity}, ${dim}]`;
  const cache = vHeadDim === headDim ? `k and v ${kv(headDim)}` : `k ${kv(headDim)}, v ${kv(vHeadDim)}`;
  const q = `q [${batch}, ${numQHeads}, ${qLen}, ${headDim}]`;
  return `${q}, ${cache} as ${kvDtype}, ${kernel}`;
}

function finiteNumber(text: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  // The kernels take it as an f32.
  if (!Number.isFinite(Math.fround(value))) {
    throw new InvalidArgumentError(`expected a finite f32 number, got "${text}".`);
  }
  return value;
}
