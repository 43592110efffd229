// wholeChromiumHost.ts: the contestants of a Chromium page with whole models.
import type { Page } from 'playwright-core';
import { callPage, openPage } from './chromiumPage.ts';
import { isWebgpuEngine, type EngineName } from './contestants.ts';
import type { WholePage } from './page/whole.ts';
import type { PageEngine } from './whole/engines.ts';
import type { WholeHost } from './whole/wholeHost.ts';

/** Opens the page. Throws where there is no Chromium. */
export async function openWholeChromiumHost(): Promise<WholeHost> {
  const { page, version, close } = await openPage('whole.html', 'wholePeers');
  return {
    place: 'chromium',
    runtime: { kind: 'chromium', version },
    open: (name) => call(page, 'open', pageEngine(name)),
    async load(name, sizes, seed, depth) {
      const engine = pageEngine(name);
      return {
        step: await call(page, 'load', engine, sizes, seed, depth),
        time: (steps) => call(page, 'time', engine, steps),
        answer: (prompt, greedy) => call(page, 'answer', engine, prompt, greedy),
        release: () => call(page, 'release', engine),
      };
    },
    close,
  };
}

function pageEngine(name: EngineName): PageEngine {
  if (!isWebgpuEngine(name) || name === 'plain') throw new Error(`${name} has no whole models in Chromium`);
  return name;
}

type Result<Name extends keyof WholePage> = Awaited<ReturnType<WholePage[Name]>>;

async function call<Name extends keyof WholePage>(
  page: Page,
  name: Name,
  ...args: Parameters<WholePage[Name]>
): Promise<Result<Name>> {
  return (await callPage(page, 'wholePeers', name, args)) as Result<Name>;
}
