// tabs.ts: which part of the page is shown: the one that the address names after its #.
import { messageOf } from '../../src/device/errors.ts';
import { byId, el } from './dom.ts';
import type { Host, TabModule } from './host.ts';
import { notice } from './notice.ts';

/** The tab that is on the page from the start. */
const FIRST = 'compare';

/** The page's tabs: sections `tab-NAME` and links `#NAME`. All but the first are loaded when they are first shown. */
export class Tabs {
  readonly #host: Host;
  readonly #loaders: Readonly<Record<string, () => Promise<TabModule>>>;
  readonly #opened = new Set<string>([FIRST]);

  constructor(host: Host, loaders: Readonly<Record<string, () => Promise<TabModule>>>) {
    this.#host = host;
    this.#loaders = loaders;
  }

  /** Shows the tab of the address, now and whenever it changes. */
  listen(): void {
    globalThis.addEventListener('hashchange', () => this.#showAddressed());
    this.#showAddressed();
  }

  /** Shows a tab and gives it the address. */
  show(name: string): void {
    location.hash = name;
    this.#showAddressed();
  }

  #showAddressed(): void {
    // A shared result stands behind the first tab's name: #compare=...
    const named = location.hash.slice(1).split('=')[0]!;
    const name = Object.hasOwn(this.#loaders, named) ? named : FIRST;
    for (const section of document.querySelectorAll<HTMLElement>('main > .tab'))
      section.hidden = section.id !== `tab-${name}`;
    for (const link of document.querySelectorAll('#tabs a')) {
      if (link.getAttribute('href') === `#${name}`) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    void this.#open(name);
  }

  async #open(name: string): Promise<void> {
    if (this.#opened.has(name)) return;
    this.#opened.add(name);
    const root = byId(`tab-${name}`);
    try {
      const { openTab } = await this.#loaders[name]!();
      openTab(root, this.#host);
    } catch (error) {
      // So that it is tried again when the reader comes back.
      this.#opened.delete(name);
      root.replaceChildren(
        notice('bad', 'This part of the page could not be loaded.', el('p', {}, messageOf(error))),
      );
    }
  }
}
