// worker.ts: the check itself, off the page's thread: float64 references take seconds.
import { casesFor, quickFirst } from '../../bench/check/cases.ts';
import { planChecks, runChecks, STANDARD_KERNELS } from '../../bench/check/check.ts';
import { checkAppends } from '../../bench/check/checkAppend.ts';
import { probedFacts } from '../../src/decode/probe.ts';
import type { GqaDevice } from '../../src/index.ts';
import { onDevice, postToPage } from '../shell/onDevice.ts';
import type { CheckRequest, FromCheckWorker, PlannedRun, ToCheckWorker } from './protocol.ts';
import { untried } from './untried.ts';

const post = (message: FromCheckWorker) => postToPage(message);

globalThis.addEventListener('message', ({ data }: MessageEvent<ToCheckWorker>) => {
  // Whether the tab is visible is nothing to a check: it takes no times.
  if (data.type === 'check') void onDevice<FromCheckWorker>(post, (device) => check(device, data.request));
});

async function check(device: GqaDevice, request: CheckRequest): Promise<FromCheckWorker> {
  const { kernels, choice } = request;
  const { facts, report } = await probedFacts(device);
  const cases = quickFirst(casesFor(facts.software, choice));
  const options = { cases, kernels, facts };
  const runs = planChecks(facts, options).map(({ case: { name }, kernel }): PlannedRun => ({
    case: name,
    kernel,
  }));
  const probed = { facts, ...(report?.fault !== undefined && { probeFault: report.fault }) };
  post({
    type: 'planned',
    plan: { adapter: adapterOf(device), runs, untried: untried(probed, request, cases, runs) },
  });
  for await (const row of runChecks(device, options)) post({ type: 'row', row });
  // As the command: who asks for a case or a kernel asks for that alone.
  const all = !choice.case && STANDARD_KERNELS.every((kernel) => kernels.includes(kernel));
  if (all) post({ type: 'appends', appends: await checkAppends(device) });
  return { type: 'done' };
}

function adapterOf({ gpu: { adapterInfo: info }, facts }: GqaDevice) {
  const names = [info.vendor, info.architecture, info.device, info.description];
  return {
    name: names.filter((name) => name !== '').join(' ') || 'unnamed by the browser',
    software: facts.software,
  };
}
