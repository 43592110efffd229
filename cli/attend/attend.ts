// attend.ts: `gqa attend`, attention of tensors in a file, so that anyone can compare with another implementation.
import { statSync } from 'node:fs';
import { Argument, type Command } from 'commander';
import { checkCacheFits } from '../../src/cache/cacheFits.ts';
import { cacheLayout } from '../../src/cache/layout.ts';
import { writeSafetensors } from '../../src/checkpoint/format/file.ts';
import { checkBufferBytes } from '../../src/device/deviceFacts.ts';
import { GqaError } from '../../src/device/errors.ts';
import { taking } from '../../src/node/command/completionValues.ts';
import { openNode } from '../../src/node/command/openNode.ts';
import { checkOutputOption, isStdout } from '../../src/node/command/outputOption.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { EXIT } from '../../src/node/command/usage.ts';
import { readTuningFor } from '../../src/node/tuningFile.ts';
import { notFiniteText } from '../../src/reference/notFinite.ts';
import { storeProblem, type StoredProblem } from '../../src/reference/problem.ts';
import type { ProblemFeatures } from '../../src/reference/problemFeatures.ts';
import { runQuietly } from '../runQuietly.ts';
import { alibiSlopes } from './alibiSlopes.ts';
import { readAttendInput, type AttendInput, type InputShape } from './attendInput.ts';
import { lostLines } from './attendLost.ts';
import {
  ATTEND_HELP,
  ATTEND_OPTIONS,
  checkedOptions,
  type AttendOptions,
  type ParsedOptions,
} from './attendOptions.ts';
import { metadataOf, resultTensors, summary } from './attendOutput.ts';
import { checkRopeShape, inputRope, turnInput } from './attendRope.ts';
import { takeRows } from './attendRows.ts';

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
    .addHelpText('after', ATTEND_HELP)
    .action((input: string, options: ParsedOptions) => runAttend(attend, input, checkedOptions(options)));
  for (const option of ATTEND_OPTIONS) attend.addOption(option);
}

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
  const input = await readAttendInput(path, options, (shape) => {
    checkRopeShape(shape, options);
    return checkAdapter(path, shape, options);
  });
  for (const line of input.notes) note(`note     ${line}`);
  const rope = inputRope(path, input, options);
  progress.show(`storing k and v as ${options.kvDtype}`);
  // What can be refused is, before an adapter is looked for.
  const unturned = problemOf(input, options);
  if (!rope) sayLost(input, options, note);
  progress.end(); // what Dawn says of an adapter does not pass through this process's streams
  const { kernel, pageSize } = options;
  const { found, device } = await openNode(options, note);
  try {
    const tuning = readTuningFor(device, note);
    if (rope) {
      progress.show(`turning q and k on "${found.adapterName}"`);
      await turnInput(device, input, rope);
      sayLost(input, options, note);
    }
    const problem = rope ? problemOf(input, options) : unturned;
    progress.show(`computing on "${found.adapterName}"`);
    const run = { kernel, tuning, ...(pageSize !== undefined && { places: { pageSize } }) };
    const result = await runQuietly(device, problem, run);
    await device.idle();
    const metadata = metadataOf(problem, options, found.adapterName);
    progress.show(`writing ${options.out}`);
    await writeSafetensors(options.out, resultTensors(input, problem, result, options), metadata);
    sayNotFinite(input, result, note);
  } finally {
    device.destroy();
  }
  const line = `${summary(input, options)} on "${found.adapterName}": o and lse are in ${options.out}\n`;
  // Behind the tensors it would be a part of them.
  if (isStdout(options.out)) output.writeErr?.(line);
  else output.writeOut?.(line);
}

// A device of WebGPU's guaranteed limits takes bindings of that size: only what exceeds them is a question.
const SMALL_BYTES = 2 ** 27;

function sayLost(input: AttendInput, { kvDtype }: AttendOptions, note: (line: string) => void): void {
  for (const line of lostLines(input, kvDtype)) note(`warning  ${line}`);
}

/** Refuses, before they are read, tensors that no buffer of the adapter could hold. */
async function checkAdapter(path: string, shape: InputShape, options: AttendOptions): Promise<void> {
  const { batch, numQHeads, numKvHeads, qLen, capacity, headDim, vHeadDim, tensors } = shape;
  const { kvDtype: kType, pageSize } = options;
  const paged = pageSize === undefined ? {} : { pageSize };
  const cache = { batch, numKvHeads, capacity, headDim, vHeadDim, kType, ...paged };
  const { kBytes, vBytes } = cacheLayout(cache);
  const f32Bytes = (axes: readonly number[]) => axes.reduce((bytes, size) => bytes * size, 4);
  const q = [batch, numQHeads, qLen, headDim];
  const o = [batch, numQHeads, qLen, vHeadDim];
  const bias = shape.bias ?? [];
  const largest = Math.max(kBytes, vBytes, ...[q, o, bias].map(f32Bytes));
  if (largest <= SMALL_BYTES) return;
  const { device } = await openNode(options, () => {});
  try {
    const nameOf = (name: string, axes: readonly number[], type: string) =>
      `${path}: tensor "${name}" [${axes.join(', ')}] as ${type}`;
    const tensor = (name: string, axes: readonly number[], type: string, bytes: number) =>
      checkBufferBytes(device.facts, nameOf(name, axes, type), bytes);
    const k = [batch, numKvHeads, capacity, tensors.k.dim];
    checkCacheFits(nameOf('k', k, kType), cacheLayout(cache, device.facts), device.facts, '--page-size');
    tensor('q', q, 'f32', f32Bytes(q));
    tensor('o', o, 'f32', f32Bytes(o));
    if (shape.bias) tensor(options.mask ?? options.bias ?? 'mask', bias, 'f32', f32Bytes(bias));
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
  { tensors: { q, v }, ...input }: AttendInput,
  { o, lse }: { readonly o: Float32Array; readonly lse: Float32Array },
  note: (line: string) => void,
): void {
  const dense = { ...q, shape: [q.batch, q.heads, q.rows, v.dim], dim: v.dim };
  const cut = takeRows(dense, { values: o, slots: q.rows, dim: input.vHeadDim });
  const text = notFiniteText({ ...input, vHeadDim: v.dim }, cut, lse);
  if (text === undefined) return;
  note(`warning  ${text}: ${CAUSES}`);
  process.exitCode = EXIT.failure;
}

function problemOf(input: AttendInput, options: AttendOptions): StoredProblem {
  const { batch, numQHeads, numKvHeads, headDim, vHeadDim, qLen, capacity, kvLens, q, k, v, tensors } = input;
  const { scale = 1 / Math.sqrt(tensors.q.dim), causal, kvDtype } = options;
  return storeProblem({
    batch,
    numQHeads,
    numKvHeads,
    headDim,
    vHeadDim,
    qLen,
    capacity,
    kvLens,
    q,
    k,
    v,
    causal: causal !== 'none',
    kType: kvDtype,
    smScale: scale,
    features: featuresOf(input, options),
  });
}

function featuresOf(
  { numQHeads, bias, sinkLogits }: AttendInput,
  { softcap, window, sinkTokens, alibi }: AttendOptions,
): ProblemFeatures {
  return {
    ...(softcap !== undefined && { softcap }),
    ...(window !== undefined && { window }),
    ...(sinkTokens !== undefined && { sinkTokens }),
    ...(alibi && { alibiSlopes: alibiSlopes(numQHeads) }),
    ...(sinkLogits && { sinkLogits }),
    ...(bias && { bias }),
  };
}
