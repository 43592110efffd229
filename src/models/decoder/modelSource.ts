// modelSource.ts: a model that can be loaded: what it computes, and its tensors to read.
import { checkInstance } from '../../device/options.ts';
import type { ModelSpec, TensorReader } from './spec.ts';

/** A model whose weights are yet to be read. `openModelFiles` and, in Node, `openModel` make one. */
export class ModelSource {
  /** Where it is, for messages. */
  readonly name: string;
  readonly spec: ModelSpec;
  readonly #reader: TensorReader;
  readonly #close: () => Promise<void>;

  /** @internal Use openModelFiles or openModel. */
  constructor(name: string, spec: ModelSpec, reader: TensorReader, close = () => Promise.resolve()) {
    this.name = name;
    this.spec = spec;
    this.#reader = reader;
    this.#close = close;
  }

  /** @internal */
  tensor(name: string): ReturnType<TensorReader['tensor']> {
    return this.#reader.tensor(name);
  }

  /** @internal */
  read(name: string): Promise<Uint8Array> {
    return this.#reader.read(name);
  }

  /** Closes its files; what is loaded stays. May be called twice. */
  close(): Promise<void> {
    return this.#close();
  }
}

/** Throws ShapeError unless it is one. */
export function checkSource(where: string, source: ModelSource): void {
  checkInstance(where, source, ModelSource, 'openModelFiles makes one');
}
