// convertStudy.ts: `gqa convert --report`, what a conversion would lose, studied module by module.
import type { Attention } from '../../src/checkpoint/find/findAttention.ts';
import type { ModelFolder } from '../../src/checkpoint/convert/disk/modelFolder.ts';
import type { MapperSources } from '../../src/checkpoint/convert/mapper.ts';
import type { ConversionPlan } from '../../src/checkpoint/convert/plan.ts';
import { reportModule, type ModuleReport } from '../../src/checkpoint/convert/report.ts';
import { GqaError } from '../../src/device/errors.ts';
import type { ConvertOptions } from './convertArguments.ts';
import { reportSvg } from './convertPlot.ts';
import { convertReport, reportTable } from './convertReport.ts';
import { interruptible } from '../../src/node/command/interrupt.ts';
import { exportJson, writeOutputOption } from '../../src/node/command/outputOption.ts';
import { Progress } from '../../src/node/command/progress.ts';

/** What to study: the same conversion to one or several numbers of KV heads. */
export interface ReportJob {
  readonly model: ModelFolder;
  readonly plans: readonly ConversionPlan[];
  readonly sources: MapperSources;
  readonly calibrated: boolean;
}

/**
 * Studies module by module; table or JSON to stdout, picture and JSON to files. An interrupt ends it after the module at
 * hand: the report has those that were studied, and then it rejects with the interrupt.
 */
export async function runReport(
  job: ReportJob,
  options: ConvertOptions,
  { write, note }: Record<'write' | 'note', (text: string) => void>,
): Promise<void> {
  const { model, plans, calibrated } = job;
  const { attention } = plans[0]!;
  checkReportable(plans, options);
  const modules = attention.modules.filter(({ layer }) => options.reportLayers?.includes(layer) ?? true);
  if (!attention.positions) note(UNKNOWN_POSITIONS);
  const { found, cut } = await study(job, modules);
  const partial = cut && { reason: cut.message, modules: modules.length };
  const report = convertReport(plans, found, { source: model.name, calibrated, ...(partial && { partial }) });
  write(options.output === 'json' ? JSON.stringify(report, null, 2) : reportTable(report));
  if (options.exportJson !== undefined) await exportJson(options.exportJson, report);
  if (options.plot !== undefined) await writeOutputOption('--plot', options.plot, reportSvg(report));
  if (cut) throw cut;
}

/** The modules' reports, and the interrupt that ended them early; rejects with it where there are none yet. */
async function study(
  { plans, sources }: ReportJob,
  modules: Attention['modules'],
): Promise<{ found: ModuleReport[]; cut?: Error }> {
  const progress = new Progress();
  const found: ModuleReport[] = [];
  try {
    return await interruptible('ending the report, finished modules are kept', async (signal) => {
      progress.until(signal);
      for (const [i, module] of modules.entries()) {
        if (signal.aborted && found.length > 0) return { found, cut: signal.reason as Error };
        signal.throwIfAborted();
        progress.show(`report: ${module.name} (${i + 1} of ${modules.length})`, i / modules.length);
        found.push(...(await reportModule(plans, module, sources)));
      }
      progress.done();
      return { found };
    });
  } finally {
    progress.end();
  }
}

const UNKNOWN_POSITIONS =
  'how positions rotate q and k is not known, so the output is judged without; say with --rope half, interleaved or none';

function checkReportable(plans: readonly ConversionPlan[], { reportLayers, method }: ConvertOptions): void {
  const { attention } = plans[0]!;
  const more = plans.find(({ options }) => options.kvHeads > attention.numKvHeads);
  if (more) {
    throw new GqaError(
      'usage',
      `--report: ${more.options.kvHeads} KV heads repeat those there are and lose nothing`,
    );
  }
  if (method === 'random') throw new GqaError('usage', '--report: random heads keep nothing of the source');
  const beyond = reportLayers?.find((layer) => layer >= attention.shape.layers);
  if (beyond !== undefined) {
    throw new GqaError(
      'usage',
      `--report-layers: expected layers from 0 to ${attention.shape.layers - 1}, got ${beyond}`,
    );
  }
}
