// gpuUse.ts: which job of the page has the GPU: two at once would share its time, and nothing measured then would be true.

/** One job at a time. */
export class GpuUse {
  #job: string | undefined;
  readonly #listeners: (() => void)[] = [];

  /** What runs now, as a sentence begins with it ("The benchmark"); undefined when the GPU is free. */
  get job(): string | undefined {
    return this.#job;
  }

  /** Takes the GPU; the function given back returns it. Throws when another job has it: ask `job` first. */
  begin(job: string): () => void {
    if (this.#job !== undefined) throw new Error(`${this.#job} has the GPU`);
    this.#set(job);
    let isOver = false;
    return () => {
      if (!isOver) this.#set(undefined);
      isOver = true;
    };
  }

  /** Calls back whenever a job begins or ends. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #set(job: string | undefined): void {
    this.#job = job;
    for (const listener of this.#listeners) listener();
  }
}
