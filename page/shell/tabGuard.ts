// tabGuard.ts: whether the tab is visible, as workers hear of it.

/** Is the tab visible, and was it hidden at any time since the last question? */
export class TabGuard {
  #visible = true;
  #interrupted = false;
  #wake = () => {};

  set visible(visible: boolean) {
    this.#visible = visible;
    if (visible) this.#wake();
    else this.#interrupted = true;
  }

  async wait(): Promise<void> {
    while (!this.#visible) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  interrupted(): boolean {
    const interrupted = this.#interrupted;
    this.#interrupted = !this.#visible;
    return interrupted;
  }
}
