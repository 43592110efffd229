// runLines.ts: the lines that every report begins with: tool, device, runtime, timer, ceiling.
import type { BenchContext, TimerContext } from '../schema/schema.ts';
import { formatBytes, formatSignificant } from '../text/format.ts';

/** Who measured and where. */
export function runLines(context: Omit<BenchContext, 'host'>): string[] {
  const { adapter, timer, ceiling, tool, runtime } = context;
  const names = [adapter.vendor, adapter.architecture, adapter.device, adapter.description].filter(Boolean);
  const f16 = context.features.includes('shader-f16') ? 'yes' : 'no';
  const subgroups = context.features.includes('subgroups')
    ? `${adapter.subgroupMinSize}–${adapter.subgroupMaxSize}`
    : 'no';
  const software = adapter.software ? ' · SOFTWARE' : '';
  const label = context.label ? ` · label "${context.label}"` : '';
  return [
    `${tool.name} ${tool.version}${tool.commit ? ` (${tool.commit})` : ''}`,
    `device   ${names.join(' · ') || 'unnamed by the browser'}${software} · shader-f16 ${f16} · subgroups ${subgroups}${label}`,
    `runtime  ${runtime.kind} ${runtime.version}${runtime.webgpu ? ` · ${runtime.webgpu}` : ''}`,
    `timer    ${timerText(timer)}`,
    `ceiling  ${formatSignificant(ceiling.readGBps, 3)} GB/s read, measured (${formatBytes(ceiling.bytes)}, best of ${ceiling.samples ?? ceiling.samplesNs.length})`,
  ];
}

/** The clock of a run: how fine it is, and how it agrees with the other one. */
function timerText({ source, stepNs, wallLateNs, wallRatio }: TimerContext): string {
  if (source === 'wall') {
    const late = wallLateNs === undefined ? '' : `, up to ${formatSignificant(wallLateNs / 1e6, 3)} ms late`;
    return `wall clock, step ${formatSignificant(stepNs, 3)} ns${late}`;
  }
  const ratio = wallRatio === null ? 'not judged' : `= ${formatSignificant(wallRatio, 3)}`;
  return `GPU timestamps, step ${stepNs} ns; wall clock / timer ${ratio}`;
}
