// tabGuard.ts: whether work in a worker may go on: the tab is visible, and nobody has asked for a pause.

/** May work go on, and was it held up at any time since the last question? */
export class TabGuard {
  #visible = true;
  #paused = false;
  #interrupted = false;
  #wake = () => {};

  set visible(visible: boolean) {
    this.#visible = visible;
    this.#changed();
  }

  /** Whether the reader has asked for a pause. */
  set paused(paused: boolean) {
    this.#paused = paused;
    this.#changed();
  }

  async wait(): Promise<void> {
    while (this.#isHeld) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  interrupted(): boolean {
    const interrupted = this.#interrupted;
    this.#interrupted = this.#isHeld;
    return interrupted;
  }

  get #isHeld(): boolean {
    return !this.#visible || this.#paused;
  }

  #changed(): void {
    if (this.#isHeld) this.#interrupted = true;
    else this.#wake();
  }
}
