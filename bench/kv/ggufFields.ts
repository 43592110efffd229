// ggufFields.ts: reading values of a GGUF file's metadata that must be whole numbers or lists of them, with messages that name the key.
import { ShapeError, wholeText } from '../../src/device/errors.ts';
import { show } from '../../src/models/configFields.ts';
import type { GgufMetadata } from './readGguf.ts';

/** The metadata of one architecture: keys are written without its name. */
export class GgufFields {
  readonly where: string;
  readonly architecture: string;
  readonly #metadata: GgufMetadata;

  constructor(metadata: GgufMetadata, where: string) {
    const architecture = metadata['general.architecture'];
    if (typeof architecture !== 'string') {
      const part = metadata['split.no'] === undefined ? '' : '; of a model in several files, take the first';
      throw new ShapeError(`${where}: expected general.architecture, got none${part}`);
    }
    this.where = where;
    this.architecture = architecture;
    this.#metadata = metadata;
  }

  /** A key with the architecture's name, as files have it. */
  name(key: string): string {
    return `${this.architecture}.${key}`;
  }

  /** Whether there is a value; of a group of keys that end with a point, whether there is any. */
  has(key: string): boolean {
    const name = this.name(key);
    if (!key.endsWith('.')) return this.#metadata[name] !== undefined;
    return Object.keys(this.#metadata).some((each) => each.startsWith(name));
  }

  /** The value as it is. */
  value(key: string): unknown {
    return this.#metadata[this.name(key)];
  }

  /** A whole number; undefined where there is none, a ShapeError where it is something else. */
  whole(key: string, max: number, min = 1): number | undefined {
    const value = this.value(key);
    return value === undefined ? undefined : this.#wholeOf(key, value, max, min);
  }

  /** A whole number for each of `layers` layers, from a list or from one number; undefined where there is neither. */
  perLayer(key: string, layers: number, max: number): readonly number[] | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) {
      const each = this.#wholeOf(key, value, max, 0);
      return Array.from({ length: layers }, () => each);
    }
    // Layers that draft further tokens are behind the others.
    if (value.length < layers)
      throw new ShapeError(
        `${this.where}: ${this.name(key)} expected a list of ${layers} (one for each layer), got ${show(value)}`,
      );
    return value.slice(0, layers).map((each) => this.#wholeOf(key, each, max, 0));
  }

  /** True or false for each of `layers` layers; a shorter list is repeated. Undefined where there is none. */
  flags(key: string, layers: number): readonly boolean[] | undefined {
    const value = this.value(key);
    if (!Array.isArray(value)) return undefined;
    return Array.from({ length: layers }, (_, layer) => this.#flagOf(key, value[layer % value.length]));
  }

  #flagOf(key: string, value: unknown): boolean {
    if (value === true || value === 1) return true;
    if (value === false || value === 0) return false;
    throw new ShapeError(
      `${this.where}: ${this.name(key)} expected true or false for each layer, got ${show(value)}`,
    );
  }

  #wholeOf(key: string, value: unknown, max: number, min: number): number {
    const number = typeof value === 'bigint' ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number > max) {
      const got = typeof value === 'bigint' ? String(value) : show(value);
      throw new ShapeError(`${this.where}: ${this.name(key)} expected ${wholeText(min, max)}, got ${got}`);
    }
    return number;
  }
}
