// drops.ts: files that are dropped anywhere on the page, each kind to the tab that takes it.
import { droppedFiles, type PlacedFile } from './placedFiles.ts';

/** A tab that takes dropped files. */
export interface Taker {
  /** The tab's name in the address. */
  readonly tab: string;
  /** Whether files of these names are for it. */
  readonly wants: (names: readonly string[]) => boolean;
}

/** Where dropped files go. */
export class Drops {
  readonly #takers: readonly Taker[];
  readonly #receivers = new Map<string, (files: readonly PlacedFile[]) => void>();
  /** What came before the tab that takes it was open. */
  readonly #waiting = new Map<string, readonly PlacedFile[]>();

  /** The first of the takers that wants files gets them. */
  constructor(takers: readonly Taker[]) {
    this.#takers = takers;
  }

  /** Gives a tab its files, those too that were dropped before it was open. */
  receive(tab: string, take: (files: readonly PlacedFile[]) => void): void {
    this.#receivers.set(tab, take);
    const files = this.#waiting.get(tab);
    this.#waiting.delete(tab);
    if (files) take(files);
  }

  /** Takes files from now on; at once, for a file dropped on a page that does not take it replaces the page. */
  listen(show: (tab: string) => void, refuse: (names: readonly string[]) => void): void {
    const root = document.documentElement;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    document.addEventListener('dragover', (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      root.dataset.dragging = '';
    });
    document.addEventListener('dragleave', (event) => {
      // To another element of the page, or out of it.
      if (event.relatedTarget === null) delete root.dataset.dragging;
    });
    document.addEventListener('drop', (event) => {
      delete root.dataset.dragging;
      if (!hasFiles(event)) return;
      event.preventDefault();
      void this.#drop(event.dataTransfer!, show, refuse);
    });
  }

  async #drop(
    transfer: DataTransfer,
    show: (tab: string) => void,
    refuse: (names: readonly string[]) => void,
  ): Promise<void> {
    const files = await droppedFiles(transfer);
    const names = files.map(({ file }) => file.name);
    const taker = this.#takers.find(({ wants }) => wants(names));
    if (!taker) return refuse(names);
    show(taker.tab);
    const receive = this.#receivers.get(taker.tab);
    if (receive) receive(files);
    else this.#waiting.set(taker.tab, files);
  }
}
