// doctorReport.ts: what `gqa doctor` makes of its facts: lines with fixes, and a Markdown list for a bug report. Pure.
import { formatBytes, plural } from '../../bench/text/format.ts';
import type { SubgroupReport } from '../../src/kernels/probe/subgroupProbe.ts';
import { dawnInstall } from '../../src/node/adapters.ts';
import { EMBEDDED_INSTALL } from '../../src/node/embedded.ts';
import type { Chosen, DoctorFacts, Machine } from '../../src/node/doctor/doctorFacts.ts';

/** One line of the report. `fix` says what to do about a `warn` or `fail`, or that nothing need be done. */
export interface Check {
  readonly level: 'ok' | 'warn' | 'fail';
  readonly text: string;
  readonly fix?: string;
}

/** Judges the facts. Any `fail` means that nothing can be computed here. */
export function checksOf({ machine, chosen, error, hint }: DoctorFacts): Check[] {
  const adapter: Check[] = chosen
    ? [adapterCheck(machine, chosen), ...featureChecks(chosen), limitCheck(chosen), ...probeChecks(chosen)]
    : [{ level: 'fail', text: error ?? 'no adapter', ...(hint !== undefined && { fix: hint }) }];
  return [...machineChecks(machine), ...adapter];
}

function machineChecks(machine: Machine): Check[] {
  const checks: Check[] = [webgpuCheck(machine)];
  if (machine.loader !== undefined) checks.push(vulkanCheck(machine));
  if (machine.embedded === 'absent') {
    checks.push({
      level: 'warn',
      text: 'no embedded software adapter to fall back on',
      fix: EMBEDDED_INSTALL,
    });
  } else if (machine.embedded !== undefined) {
    checks.push({ level: 'ok', text: `embedded software adapter (@sparticuz/chromium ${machine.embedded})` });
  }
  return checks;
}

function webgpuCheck({ own, webgpu, runtime: { kind, version }, platform }: Machine): Check {
  const where = `${kind} ${version}, ${platform}`;
  if (own !== undefined) return { level: 'ok', text: `${own}, the runtime's own WebGPU, ${where}` };
  if (webgpu !== undefined) return { level: 'ok', text: `webgpu ${webgpu} (Dawn), ${where}` };
  return { level: 'fail', text: 'the package webgpu (Dawn) is not installed', fix: dawnInstall(kind) };
}

function vulkanCheck(machine: Machine): Check {
  const { loader, manifests, override } = machine;
  const count = plural(manifests.length, 'driver manifest');
  const drivers = `${count}${override === undefined ? '' : ` by ${override}`}`;
  const text = `Vulkan loader ${loader ? 'found' : 'not found'}, ${drivers}`;
  if (loader && manifests.length > 0) return { level: 'ok', text };
  return { level: 'warn', text, fix: vulkanFixes(machine).join(', and ') };
}

/** A driver that the environment names and that is not there is a slip in its name, not a package that is missing. */
function vulkanFixes({ loader, manifests, override }: Machine): string[] {
  const misnamed = manifests.length === 0 && override !== undefined;
  const driver = manifests.length === 0 && !misnamed;
  const packages = [...(loader ? [] : ['libvulkan1']), ...(driver ? ['mesa-vulkan-drivers'] : [])];
  const orGpu = driver ? ", or the driver of this machine's GPU" : '';
  return [
    ...(misnamed ? [`unset ${override.split('=')[0]}, or name a driver manifest that exists`] : []),
    ...(packages.length > 0 ? [`apt-get install ${packages.join(' ')}${orGpu}`] : []),
  ];
}

function adapterCheck({ adapters }: Machine, { name, origin, software }: Chosen): Check {
  const others = adapters.filter((a) => a.name !== name).map((a) => `; also here: "${a.name}"`);
  const text = `adapter "${name}" (${origin})${others.join('')}`;
  if (!software) return { level: 'ok', text };
  return {
    level: 'warn',
    text: `software ${text}: timings describe the processor and not a GPU`,
    fix: "install the Vulkan driver of this machine's GPU, if it has one",
  };
}

function featureChecks(chosen: Chosen): Check[] {
  const { features, timestampStep } = chosen;
  const f16 = features.includes('shader-f16');
  const checks: Check[] = [
    { level: 'ok', text: `shader-f16 ${f16 ? 'yes' : 'no'} (16-bit caches do not need it)` },
  ];
  checks.push(subgroupCheck(chosen));
  checks.push(
    timestampStep === undefined
      ? {
          level: 'warn',
          text: 'no usable timestamp-query',
          fix: 'none needed: times come from the wall clock',
        }
      : { level: 'ok', text: `timestamp step ${timestampStep} ns` },
  );
  return checks;
}

const SLOWER = 'none needed: kernels without them are used, somewhat slower';

function subgroupCheck({ subgroups, subgroupProbe, kernel }: Chosen): Check {
  if (!subgroups) return { level: 'warn', text: `no subgroups: the kernel is ${kernel}`, fix: SLOWER };
  const named = `subgroups of ${sizes(subgroups)}`;
  if (!subgroupProbe) return { level: 'ok', text: `${named}, not used: the kernel is ${kernel}` };
  if (subgroupProbe.fault !== undefined) {
    const text = `${named} that cannot be used, the kernel is ${kernel}: ${subgroupProbe.fault}`;
    return { level: 'warn', text, fix: SLOWER };
  }
  return {
    level: 'ok',
    text: `${named}, found to be of ${subgroupProbe.subgroupSize} and full: the kernel is ${kernel}`,
  };
}

function sizes([smallest, largest]: readonly [number, number]): string {
  return smallest === largest ? String(smallest) : `${smallest} to ${largest}`;
}

function limitCheck({ limits }: Chosen): Check {
  const [binding = 0, buffer = 0] = [limits.maxStorageBufferBindingSize, limits.maxBufferSize];
  return { level: 'ok', text: `a binding holds ${formatBytes(binding)}, a buffer ${formatBytes(buffer)}` };
}

function probeChecks({ loopVariable, computesRight }: Chosen): Check[] {
  return [
    loopVariable === 1
      ? { level: 'ok', text: 'WGSL variables in loops start anew in each round' }
      : {
          level: 'warn',
          text: `known defect: a WGSL variable without initialiser in a loop keeps its value (1 expected, got ${loopVariable})`,
          fix: 'none needed: our shaders write every initialiser; do so in your own',
        },
    computesRight
      ? { level: 'ok', text: 'compute round trip gives the right numbers' }
      : {
          level: 'fail',
          text: 'compute round trip gives wrong numbers',
          fix: 'update the driver, or choose another adapter with --adapter',
        },
  ];
}

/** The lines for a terminal. */
export function checkLines(checks: readonly Check[]): string {
  return checks
    .map(
      ({ level, text, fix }) => `${level.padEnd(5)} ${text}${fix === undefined ? '' : `\n      fix: ${fix}`}`,
    )
    .join('\n');
}

/** A Markdown list of all facts, to paste into a bug report. */
export function factsMarkdown({ machine, chosen, error }: DoctorFacts): string {
  const rows: [string, string][] = [
    ['gqa-webgpu', machine.gqa],
    ['WebGPU', machine.own ?? 'dawn'],
    ['package webgpu (Dawn)', machine.webgpu ?? 'not installed'],
    ['runtime', `${machine.runtime.kind} ${machine.runtime.version}, ${machine.platform}`],
    [
      'Vulkan loader',
      machine.loader === undefined ? 'not looked for' : machine.loader ? 'found' : 'not found',
    ],
    ['drivers chosen by', machine.override ?? 'default'],
    ['driver manifests', machine.manifests.join(' ') || 'none'],
    ['embedded adapter', machine.embedded ?? 'not usable here'],
    ['adapters', adaptersText(machine)],
    ...(chosen ? chosenRows(chosen) : [['error', error ?? ''] satisfies [string, string]]),
  ];
  return rows.map(([name, value]) => `- ${name}: ${value.replaceAll('\n', ' ')}`).join('\n');
}

function adaptersText({ own, adapters }: Machine): string {
  if (own !== undefined) return 'not listed';
  return adapters.map(({ name, backend }) => `${name} [${backend}]`).join('; ') || 'none';
}

function probeText(probe: SubgroupReport | undefined): string {
  if (!probe) return 'not run';
  const { wgSize, lanes, subgroupSize, fault } = probe;
  return fault ?? `size ${subgroupSize}, full (workgroups of ${wgSize}, teams of ${lanes})`;
}

function chosenRows(chosen: Chosen): [string, string][] {
  return [
    ['adapter', `${chosen.name} (${chosen.origin}${chosen.software ? ', software' : ''})`],
    ...chosen.notes.map((note): [string, string] => ['note', note]),
    ['vendor, architecture', `${chosen.info.vendor}, ${chosen.info.architecture}`],
    ['device, description', `${chosen.info.device}, ${chosen.info.description}`],
    ['features', chosen.features.join(' ')],
    ['subgroup sizes', chosen.subgroups ? sizes(chosen.subgroups) : 'none'],
    ['subgroup probe', probeText(chosen.subgroupProbe)],
    ['kernel', chosen.kernel],
    ...Object.entries(chosen.limits).map(([name, value]): [string, string] => [name, String(value)]),
    ['timestamp step', chosen.timestampStep === undefined ? 'none' : `${chosen.timestampStep} ns`],
    ['loop variable, 5 rounds', `${chosen.loopVariable} (1 expected)`],
    ['compute round trip', chosen.computesRight ? 'right' : 'wrong'],
  ];
}
