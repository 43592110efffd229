// sampler.ts: what models write behind a prompt: the same prompt, the same way to choose characters, for all of them.
import { withVariant } from '../../bench/model/variants.ts';
import type { GqaDevice } from '../../src/index.ts';
import type { ModelSource } from '../../src/models/decoder/modelSource.ts';
import { DEFAULT_SEED } from '../../src/numbers/random.ts';
import type { CharVocabulary } from '../../src/train/text/characters.ts';
import type { SampleOptions } from './protocol.ts';

/** Writes texts on a device. */
export class Sampler {
  readonly #device: GqaDevice;
  readonly #vocabulary: CharVocabulary;
  readonly #prompt: readonly number[];
  readonly #maxTokens: number;
  readonly #temperature: number;

  /**
   * `context`: tokens that the models see at once; texts get worse behind them, so they end there. Throws ShapeError for a prompt that has a character
   * outside of the vocabulary.
   */
  constructor(
    device: GqaDevice,
    vocabulary: CharVocabulary,
    { prompt, characters, temperature }: SampleOptions,
    context: number,
  ) {
    this.#device = device;
    this.#vocabulary = vocabulary;
    this.#prompt = [...vocabulary.encode(prompt)];
    this.#maxTokens = Math.max(1, Math.min(characters, context) - this.#prompt.length);
    this.#temperature = temperature;
  }

  /** What a model writes, without the prompt. */
  write(source: ModelSource): Promise<string> {
    const { numKvHeads: kvHeads } = source.spec.layers[0]!.attention;
    const open = () => Promise.resolve(source);
    return withVariant(
      this.#device,
      open,
      { kvHeads },
      {
        options: { capacity: this.#prompt.length + this.#maxTokens },
        onProgress: () => {},
        use: async ({ context }) => {
          const tokens: number[] = [];
          const options = {
            maxTokens: this.#maxTokens,
            temperature: this.#temperature,
            seed: DEFAULT_SEED,
            stop: [],
          };
          for await (const [token] of context.generate([this.#prompt], options)) tokens.push(token!);
          return this.#vocabulary.decode(tokens);
        },
      },
    );
  }
}
