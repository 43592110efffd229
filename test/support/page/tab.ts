// tab.ts: a tab of any browser, as the tests of the benchmark's page drive and read it.
import { mkdirSync } from 'node:fs';
import { expect } from 'vitest';
import type { BenchResult } from '../../../bench/schema/schema.ts';

/** A browser that can show the page. */
export interface PageBrowser {
  /** As the page calls it. */
  readonly kind: 'chrome' | 'firefox';
  /** Opens an address with cookies and storage of its own, in a window of 1280 by 900. */
  open(address: string): Promise<Tab>;
  /** Ends the browser and removes its profile. */
  close(): Promise<void>;
}

/** A tab. Selectors are CSS; the first element that matches is meant. */
export interface Tab {
  /** Errors that were logged or not caught since the tab was opened. */
  readonly errors: readonly string[];
  /** Runs a function in the page. */
  evaluate<R>(run: () => R | Promise<R>): Promise<R>;
  evaluate<R, A>(run: (argument: A) => R | Promise<R>, argument: A): Promise<R>;
  /** Waits until there is such an element, for so many milliseconds. */
  waitFor(selector: string, timeoutMs: number): Promise<void>;
  click(selector: string): Promise<void>;
  /** Replaces the text of an input. */
  fill(selector: string, text: string): Promise<void>;
  /** Chooses files, or where the input takes one a folder. */
  choose(selector: string, paths: readonly string[]): Promise<void>;
  /** Drops files or folders on the page, as a person would; undefined where the driver cannot. */
  readonly drop: ((...paths: string[]) => Promise<void>) | undefined;
  reload(): Promise<void>;
  resize(width: number, height: number): Promise<void>;
  /** The number of workers that run. */
  workers(): number;
  /** Keeps a picture of the whole page in a state, where GQA_PICTURES names a folder for them; `close` keeps one of the end. */
  picture(state: string): Promise<void>;
  /** Clicks, and waits for the file that is downloaded then. */
  download(selector: string): Promise<{ name: string; text: string }>;
  close(): Promise<void>;
}

/** Waits until the page says that it is `idle`, `running`, `done`, `tuned`, `stopped` or in `error`. */
export function waitForState(tab: Tab, state: string, timeoutMs = 150_000): Promise<void> {
  return tab.waitFor(`html[data-state=${state}]`, timeoutMs);
}

/** Waits until a run reports what it is at. */
export function waitForProgress(tab: Tab): Promise<void> {
  return tab.waitFor('html[data-state=running] #progress-text:not(:empty)', 150_000);
}

export function resultOf(tab: Tab): Promise<BenchResult | undefined> {
  return tab.evaluate(() => globalThis.gqaResult);
}

/** All text of an element, shown or not. */
export function textOf(tab: Tab, selector: string): Promise<string> {
  return tab.evaluate((wanted) => document.querySelector(wanted)!.textContent, selector);
}

/** The texts of all elements that match. */
export function textsOf(tab: Tab, selector: string): Promise<string[]> {
  return tab.evaluate(
    (wanted) => [...document.querySelectorAll(wanted)].map((element) => element.textContent),
    selector,
  );
}

/** The text of an element as it is shown. */
export function shownTextOf(tab: Tab, selector: string): Promise<string> {
  return tab.evaluate((wanted) => document.querySelector<HTMLElement>(wanted)!.innerText, selector);
}

/** The texts of the cells of every table row that matches. */
export function cellsOf(tab: Tab, rows: string): Promise<string[][]> {
  return tab.evaluate(
    (wanted) =>
      [...document.querySelectorAll(wanted)].map((row) => [...row.children].map((cell) => cell.textContent)),
    rows,
  );
}

/** Types into a field of a form, or chooses, and leaves it. */
export function enter(tab: Tab, selector: string, value: string): Promise<void> {
  return tab.evaluate(
    ([wanted, text]) => {
      const field = document.querySelector<HTMLInputElement | HTMLSelectElement>(wanted!)!;
      field.value = text!;
      field.dispatchEvent(new Event('change', { bubbles: true }));
    },
    [selector, value],
  );
}

/** How much of the page has moved by itself since it was opened; undefined in a browser that does not tell. */
export function layoutShift(tab: Tab): Promise<number | undefined> {
  return tab.evaluate(() => {
    if (!PerformanceObserver.supportedEntryTypes.includes('layout-shift')) return undefined;
    return new Promise<number>((resolve) => {
      let sum = 0;
      const observer = new PerformanceObserver((list) => {
        const shifts = list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[];
        for (const { value, hadRecentInput } of shifts) sum += hadRecentInput ? 0 : value;
      });
      observer.observe({ type: 'layout-shift', buffered: true });
      // What was before comes in a task of its own; where nothing was, none comes.
      setTimeout(() => resolve(sum), 50);
    });
  });
}

/** Whether a button can be pressed. */
export function isEnabled(tab: Tab, button: string): Promise<boolean> {
  return tab.evaluate((wanted) => !document.querySelector<HTMLButtonElement>(wanted)!.disabled, button);
}

/** Hides the tab, as far as the page can tell, or shows it again. */
export function setHidden(tab: Tab, hidden: boolean): Promise<void> {
  return tab.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, value });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
}

/** Where a picture is to be kept, named after the test that runs: in the folder of GQA_PICTURES; undefined where none is wanted. */
export function picturePath(kind: PageBrowser['kind'], state: string): `${string}.png` | undefined {
  const folder = process.env.GQA_PICTURES;
  if (!folder) return undefined;
  mkdirSync(folder, { recursive: true });
  const test = expect.getState().currentTestName?.replaceAll(/[^a-zA-Z0-9]+/g, '-') ?? '';
  return `${folder}/${kind}-${test.slice(0, 120)}-${state}.png`;
}
