// words.ts: what the page says of results that were shared or are compared, in sentences. No DOM.
import type { Comparison, Side, Verdict } from '../../bench/report/compare.ts';
import { isWholeResult } from '../../bench/report/compareKinds.ts';
import type { BenchContext } from '../../bench/schema/schema.ts';
import { plural } from '../../bench/text/format.ts';

/** A device as a reader knows it: the label that its owner gave it, what the browser tells, and that it is none. */
export function deviceText({ adapter, label }: Pick<BenchContext, 'adapter' | 'label'>): string {
  const { vendor, architecture, device, description, software } = adapter;
  const told = [vendor, architecture, device, description].filter((name) => name !== '').join(' · ');
  const named = told || 'a device that its browser does not name';
  return `${label ? `“${label}” (${named})` : named}${software ? ', a software renderer: a CPU' : ''}`;
}

/** Who measured a shared result, where and when. */
export function originText({ date, runtime, adapter, label, timer }: Omit<BenchContext, 'host'>): string {
  const clock = timer.source === 'wall' ? 'the wall clock' : 'GPU timestamps';
  return `Measured on ${deviceText({ adapter, ...(label !== undefined && { label }) })}, on ${dayOf(date)}, in ${runtime.kind} ${runtime.version}, by ${clock}.`;
}

/** `2026-01-02`, whatever else the text holds. */
function dayOf(date: string): string {
  return /^\d{4}-\d\d-\d\d/.exec(date)?.[0] ?? 'an unknown day';
}

/** What a link leaves out. */
export const LINK_TEXT =
  'A link holds the whole result but its raw samples: medians, intervals and numbers of samples, times in five digits. It is part of the address alone: nothing is sent anywhere.';

const ORDER: readonly Verdict[] = ['faster', 'slower', 'equivalent', 'inconclusive'];

/** What came of a comparison: how many rows got which verdict. */
export function verdictText({ a, b, rows, sameSuite }: Comparison): string {
  if (rows.length === 0) return `${b.name} and ${a.name} have no row in common: nothing was compared.`;
  if (!sameSuite)
    return `${b.name} and ${a.name} were measured in different ways (suites ${b.result.suite} and ${a.result.suite}): no row gets a verdict.`;
  const counts = ORDER.map((verdict) => ({
    verdict,
    count: rows.filter(({ change }) => change?.verdict === verdict).length,
  })).filter(({ count }) => count > 0);
  const untold = rows.filter(({ change }) => !change).length;
  const parts = [
    ...counts.map(
      ({ verdict, count }, i) => `${count} ${i > 0 ? '' : count === 1 ? 'is ' : 'are '}${verdict}`,
    ),
    ...(untold > 0 ? [`${untold} without a time in both`] : []),
  ];
  if (rows.length === 1)
    return `The one row is ${parts[0]!.replace(/^1 (is )?/, '')}: ${b.name} against ${a.name}.`;
  return `Of ${plural(rows.length, 'row')} ${parts.join(', ')}: ${b.name} against ${a.name}.`;
}

/** How to read times of two devices; of one there is nothing to say. */
export function devicesText({ sameDevice, a, b }: Comparison): string | undefined {
  if (sameDevice) return undefined;
  return `${isMasked(a, b) ? 'These may be different devices: browsers do not tell.' : 'These are different devices.'} Fair to both are the last two columns: how near each comes to what its own device can read.`;
}

function isMasked(...sides: readonly Side[]): boolean {
  return sides.some(({ result }) => result.context.adapter.device === '');
}

/** Why a single result of whole models cannot be shown as rows; undefined for one of attention. */
export function singleFault({ name, result }: Side): string | undefined {
  return isWholeResult(result)
    ? `${name} is a result of whole models; drop another one with it to compare the two.`
    : undefined;
}
