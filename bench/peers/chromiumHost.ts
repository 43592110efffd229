// chromiumHost.ts: the contestants of a Chromium page.
import type { Page } from 'playwright-core';
import type { Plugin } from 'vite';
import { callPage, openPage } from './chromiumPage.ts';
import { isWebgpuEngine, type EngineName, type WebgpuEngine } from './contestants.ts';
import type { AttentionHost } from './host.ts';
import { packInputs, type PeerInputs } from './inputs.ts';
import type { PeerTarget } from './peerTarget.ts';
import type { PeersPage } from './page/main.ts';

/** Opens the page. Throws where there is no Chromium. */
export async function openChromiumHost(): Promise<AttentionHost> {
  let inputs: PeerInputs | undefined;
  const { page, version, close } = await openPage('index.html', 'peers', [
    serveInputs(() => packInputs(inputs!)),
  ]);
  return {
    place: 'chromium',
    runtime: { kind: 'chromium', version },
    open: (engine) => call(page, 'open', browserEngine(engine)),
    async bind(engine, data, copies) {
      inputs = data;
      const step = await call(page, 'bind', browserEngine(engine), data.shape, copies);
      return remoteTarget(page, browserEngine(engine), step);
    },
    close,
  };
}

function browserEngine(engine: EngineName): WebgpuEngine {
  if (!isWebgpuEngine(engine)) throw new Error(`${engine} runs in Node alone`);
  return engine;
}

/** `/inputs` has the data of the shape at hand. */
function serveInputs(packed: () => Uint8Array): Plugin {
  return {
    name: 'inputs',
    configureServer({ middlewares }) {
      middlewares.use('/inputs', (_, response) => response.end(packed()));
    },
  };
}

function remoteTarget(page: Page, engine: WebgpuEngine, step: string): PeerTarget {
  return {
    step,
    time: (steps) => call(page, 'time', engine, steps),
    output: async (copy) => Float32Array.from(await call(page, 'output', engine, copy)),
    release: () => call(page, 'release', engine),
  };
}

type Result<Name extends keyof PeersPage> = Awaited<ReturnType<PeersPage[Name]>>;

async function call<Name extends keyof PeersPage>(
  page: Page,
  name: Name,
  ...args: Parameters<PeersPage[Name]>
): Promise<Result<Name>> {
  return (await callPage(page, 'peers', name, args)) as Result<Name>;
}
