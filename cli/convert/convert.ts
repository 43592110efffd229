// convert.ts: `gqa convert`, a multi-head checkpoint to a grouped- or multi-query one.
import { Argument, type Command } from 'commander';
import { version } from '../../package.json';
import { findAttention, type Attention } from '../../src/checkpoint/find/findAttention.ts';
import { makeWhole } from '../../src/checkpoint/convert/disk/convertFolder.ts';
import { convertShards, type ConversionJob, checkPlan } from '../../src/checkpoint/convert/disk/job.ts';
import { openModelFolder, type ModelFolder } from '../../src/checkpoint/convert/disk/modelFolder.ts';
import { partialFolder, parentOf } from '../../src/checkpoint/convert/disk/partial.ts';
import { withSources } from '../../src/checkpoint/convert/disk/sources.ts';
import { checkTarget, checkPlace, targetFolder } from '../../src/checkpoint/convert/disk/target.ts';
import { planConversion, type ConversionPlan } from '../../src/checkpoint/convert/plan.ts';
import { GqaError } from '../../src/device/errors.ts';
import { inFolder } from '../../src/files/folders.ts';
import { taking } from '../../src/node/command/completionValues.ts';
import { staleCounts } from '../../src/checkpoint/convert/disk/otherConfigs.ts';
import { HELP, OPTIONS, type ConvertOptions } from './convertArguments.ts';
import { formatOf, positionsOf } from './convertOptions.ts';
import { progressLine } from './convertProgress.ts';
import { dryRunJson, dryRunText, resultText } from './convertText.ts';
import { runReport } from './convertStudy.ts';
import { leaving } from '../../src/node/command/interrupt.ts';
import { checkOutputOption } from '../../src/node/command/outputOption.ts';
import { Progress } from '../../src/node/command/progress.ts';

/** Adds the `convert` command. Results go to the program's `writeOut`, progress and notes to stderr. */
export function registerConvert(program: Command): void {
  const command = program
    .command('convert')
    .addArgument(taking(new Argument('<model>'), { paths: 'folders' }))
    .description(
      'multi-head checkpoint to grouped- or multi-query (safetensors in, safetensors out); needs no GPU',
    )
    .addHelpText('after', HELP)
    .action((model: string, options: ConvertOptions) => runConvert(command, model, options));
  for (const option of OPTIONS) command.addOption(option);
}

async function runConvert(command: Command, path: string, options: ConvertOptions): Promise<void> {
  const output = command.configureOutput();
  const write = (text: string) => output.writeOut?.(`${text}\n`);
  const note = (text: string) => output.writeErr?.(`note     ${text}\n`);
  await checkUsage(options);
  const model = await openModelFolder(path);
  const attention = findAttention(model.tensors, model.config, path, {
    ...(options.map && { format: formatOf(options.map) }),
    ...(options.rope && { positions: (headDim) => positionsOf(options.rope!, headDim) }),
  });
  const plans = options.kvHeads.map((kvHeads) => planFor(model, attention, kvHeads, options));
  const plan = plans[0]!;
  if (options.dryRun ?? options.out !== undefined) for (const each of plans) checkPlan({ model, plan: each });
  if (options.dryRun) {
    write(options.output === 'json' ? dryRunJson(model, plan) : dryRunText(model, plan));
    return;
  }
  const out = options.out === undefined ? undefined : await targetFolder(options.out);
  if (out !== undefined) await checkPlace(model.path, out);
  for (const text of plan.notes) note(text);
  await withSources(model, attention, options.calibration, async (sources, calibration) => {
    if (options.report)
      await runReport({ model, plans, sources, calibrated: calibration !== undefined }, options, {
        write,
        note,
      });
    if (out === undefined) return;
    if (model.leftOut.length > 0) note(`weights in other forms are not copied: ${model.leftOut.join(', ')}`);
    const stale = await staleCounts(model, plan);
    if (stale.length > 0)
      note(
        `files that still say ${attention.numKvHeads} KV heads are copied as they are: ${stale.join(', ')}`,
      );
    const origin = { tool: `gqa-webgpu ${version}`, source: model.name, calibration: calibration?.sha256 };
    const progress = new Progress();
    try {
      const onProgress = progressLine(progress);
      const hashFiles = options.hash === true;
      const job = { model, plan, sources, origin, out, hashFiles, onProgress };
      if (options.hash) progress.show('hashing what was converted before');
      const said = await leaving(LEFT, () => inFolder(parentOf(out), () => convert(job, options)));
      progress.done();
      progress.end();
      write(said);
    } finally {
      progress.end();
    }
  });
}

/** Refuses options that contradict each other, before any file is read. */
async function checkUsage({
  kvHeads,
  out,
  dryRun,
  shards,
  finish,
  report,
  reportLayers,
  plot,
  exportJson: json,
}: ConvertOptions): Promise<void> {
  const refuse = (message: string): never => {
    throw new GqaError('usage', message);
  };
  if (out === undefined && !dryRun && !report)
    refuse('expected --out FOLDER, --dry-run or --report, got none of them');
  if (kvHeads.length > 1 && (out !== undefined || !report)) {
    refuse(`expected one number of KV heads, or --report without --out, got ${kvHeads.join(', ')}`);
  }
  if ((shards ?? finish) !== undefined && out === undefined)
    refuse('--shards and --finish make parts of a result: expected --out too');
  if ((plot ?? json ?? reportLayers) !== undefined && !report)
    refuse('--plot, --export-json and --report-layers are of the report: expected --report too');
  if (plot !== undefined) await checkOutputOption('--plot', plot);
  if (json !== undefined) await checkOutputOption('--export-json', json);
}

function planFor(
  model: ModelFolder,
  attention: Attention,
  kvHeads: number,
  { method, grouping, renorm, seed, headMap }: ConvertOptions,
): ConversionPlan {
  const options = { kvHeads, method, grouping, renorm, seed, headMap };
  return planConversion(attention, model.tensors, options, model.path);
}

const LEFT = 'the conversion stops; the same command again goes on after the last whole shard';

async function convert(job: ConversionJob, { shards, finish }: ConvertOptions): Promise<string> {
  if (!shards) return (await makeWhole(job, { converts: !finish })) ? resultText(job) : wholeAlready(job);
  if (await checkTarget(job)) return wholeAlready(job);
  const { index, of } = shards;
  const { converted, skipped } = await convertShards(job, shards);
  return `worker ${index}/${of}: ${converted} shards converted, ${skipped} were done before, in ${partialFolder(job.out)}`;
}

function wholeAlready({ out }: ConversionJob): string {
  return `${out} is whole already, of this very conversion`;
}
