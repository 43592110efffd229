// cards.ts: the three cards: what this device is, what it can do, and what measures time on it.
import { formatBytes, formatSignificant } from '../../bench/text/format.ts';
import type { BenchResult, TimerContext } from '../../bench/schema/schema.ts';
import { describeBrowser } from '../shell/browser.ts';
import { byId, el } from '../shell/dom.ts';

type Fact = readonly [name: string, value: string];

/** Fills the cards with what the adapter tells before a run. Without an adapter the facts say so. */
export function showCards(adapter: GPUAdapter | undefined): void {
  fill('device-facts', deviceFacts(adapter?.info));
  fill('ability-facts', adapter ? abilityFacts(adapter) : [['WebGPU', 'none']]);
  fill('timer-facts', adapter ? timerFacts(adapter.features.has('timestamp-query')) : [['Source', 'none']]);
}

/** Replaces the timer's card by what the run found out about it. */
export function showMeasuredTimer({ context, results }: BenchResult): void {
  const { timer, ceiling } = context;
  const steps = results.flatMap((row) => (row.time ? [row.time.stepsPerSample] : []));
  const batches: Fact[] = steps.length > 0 ? [['Steps per sample', range(steps)]] : [];
  fill('timer-facts', [
    ['Source', timer.source === 'wall' ? 'wall clock' : 'GPU timestamps'],
    ['Step', duration(timer.stepNs)],
    ...clockFacts(timer),
    ...batches,
    ['Read ceiling', `${formatSignificant(ceiling.readGBps, 3)} GB/s`],
  ]);
}

/** How far the clock can be trusted: the wall clock by itself, timestamps by the wall clock. */
function clockFacts({ source, wallLateNs, wallRatio }: TimerContext): Fact[] {
  if (source === 'wall') return wallLateNs === undefined ? [] : [['May be late by', duration(wallLateNs)]];
  return [['Wall clock / timer', wallRatio === null ? 'not judged' : formatSignificant(wallRatio, 3)]];
}

function deviceFacts(info: GPUAdapterInfo | undefined): Fact[] {
  const { kind, version } = describeBrowser(navigator.userAgent);
  const named: Fact[] = info
    ? [
        ['Vendor', info.vendor],
        ['Architecture', info.architecture],
        ['Device', info.device],
        ['Description', info.description],
      ]
    : [['Adapter', 'none']];
  const told = named.filter(([, value]) => value !== '');
  if (told.length === 0) told.push(['Adapter', 'unnamed by the browser']);
  return [...told, ['Browser', `${kind} ${version}`]];
}

function abilityFacts({ features, limits, info }: GPUAdapter): Fact[] {
  const sizes = info.subgroupMinSize ? `, ${range([info.subgroupMinSize, info.subgroupMaxSize])} wide` : '';
  return [
    ['f16 arithmetic', features.has('shader-f16') ? 'yes' : 'no, and not needed'],
    ['Subgroups', features.has('subgroups') ? `yes${sizes}` : 'no'],
    ['Biggest K or V', formatBytes(Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize))],
    ['Workgroup', `${limits.maxComputeInvocationsPerWorkgroup} invocations`],
    ['Workgroup memory', formatBytes(limits.maxComputeWorkgroupStorageSize)],
  ];
}

function timerFacts(timestamps: boolean): Fact[] {
  return [
    ['Source', timestamps ? 'GPU timestamps' : 'wall clock (no GPU timestamps here)'],
    ['Step', 'measured in the run'],
  ];
}

/** "8", or "4 – 64". */
function range(values: readonly number[]): string {
  const low = Math.min(...values);
  const high = Math.max(...values);
  return low === high ? `${low}` : `${low} – ${high}`;
}

function duration(ns: number): string {
  return ns < 1000 ? `${formatSignificant(ns, 3)} ns` : `${formatSignificant(ns / 1000, 3)} µs`;
}

function fill(id: string, facts: readonly Fact[]): void {
  byId(id).replaceChildren(
    ...facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))),
  );
}
