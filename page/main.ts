// main.ts: the page: its tabs, what they share, and files dropped on it.
import { version } from '../package.json';
import { openBench } from './bench/tab.ts';
import { findGpu } from './shell/browser.ts';
import { byId, el } from './shell/dom.ts';
import { Drops } from './shell/drops.ts';
import { GpuUse } from './shell/gpuUse.ts';
import type { Host } from './shell/host.ts';
import { notice } from './shell/notice.ts';
import { Tabs } from './shell/tabs.ts';

const isOf =
  (...endings: readonly string[]) =>
  (name: string) =>
    endings.some((ending) => name.toLowerCase().endsWith(ending));

const drops = new Drops([
  { tab: 'model', wants: (names) => names.some(isOf('.safetensors')) },
  { tab: 'cache', wants: (names) => names.some(isOf('.gguf', 'config.json')) },
  { tab: 'compare', wants: (names) => names.some(isOf('.json', '.jsonl')) },
]);
const host: Host = { gpu: findGpu(), use: new GpuUse(), drops };
const tabs = new Tabs(host, {
  cache: () => import('./cache/tab.ts'),
  check: () => import('./check/tab.ts'),
  model: () => import('./model/tab.ts'),
  train: () => import('./train/tab.ts'),
});

byId('unserved').remove();
byId('version').textContent = version;
drops.listen(
  (tab) => tabs.show(tab),
  (names) =>
    byId('page-notices').replaceChildren(
      notice(
        'bad',
        'These files are of no kind that this page takes.',
        el(
          'p',
          {},
          `It takes a model's folder, a config.json or GGUF file, and results (JSON); got ${names.slice(0, 3).join(', ') || 'none'}.`,
        ),
      ),
    ),
);
tabs.listen();
openBench(host).catch((error: unknown) =>
  byId('page-notices').replaceChildren(notice('bad', 'The page failed.', el('p', {}, String(error)))),
);
