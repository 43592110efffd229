// host.ts: what the page gives each of its tabs.
import type { Gpu } from './browser.ts';
import type { Drops } from './drops.ts';
import type { GpuUse } from './gpuUse.ts';

/** The same for all tabs. */
export interface Host {
  /** The adapter that jobs will run on, once it has been looked for. */
  readonly gpu: Promise<Gpu>;
  readonly use: GpuUse;
  readonly drops: Drops;
}

/** A tab's module: fills the tab's section and makes it work, the first time that it is shown. */
export interface TabModule {
  readonly openTab: (root: HTMLElement, host: Host) => void;
}
