// calibration.ts: hidden states of calibration text, one tensor for each attention module, in a safetensors file.
import type { Attention } from '../../find/findAttention.ts';
import type { AttentionModule } from '../../heads/attentionModule.ts';
import { fail, list, quote } from '../../format/checkpointError.ts';
import { SafetensorsFile } from '../../format/file.ts';
import type { Inputs, Tokens } from '../../heads/layerData.ts';
import type { TensorInfo } from '../../format/safetensors.ts';
import { hashInWorker } from './hash.ts';

/**
 * An open calibration file. Tensors are called as the modules are, perhaps with more in front (a program that has the
 * model inside another calls them so); inputs of cross-attention's keys end in `.kv`.
 */
export class Calibration {
  readonly #file: SafetensorsFile;
  readonly #path: string;
  /** SHA-256 of the file. */
  readonly sha256: string;

  private constructor(file: SafetensorsFile, path: string, sha256: string) {
    this.#file = file;
    this.#path = path;
    this.sha256 = sha256;
  }

  /** Opens the file and checks that it has tokens for every module of the model. */
  static async open(path: string, attention: Attention): Promise<Calibration> {
    const file = await SafetensorsFile.open(path);
    try {
      for (const module of attention.modules) {
        for (const name of namesOf(module)) checkTensor(file, path, name, attention);
      }
      const hash = hashInWorker(path, [{ begin: 0, length: file.byteLength }]);
      try {
        return new Calibration(file, path, await hash.sha256);
      } finally {
        hash.stop();
      }
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The tokens that reach a module. */
  async inputsOf(module: AttentionModule): Promise<Inputs> {
    const [q, kv] = namesOf(module);
    const queries = await this.#tokens(q!);
    return { q: queries, kv: kv === undefined ? queries : await this.#tokens(kv) };
  }

  async #tokens(name: string): Promise<Tokens> {
    const { shape, data } = await this.#file.readFloat32(find(this.#file, name)!.name);
    if (data.every((x) => Number.isFinite(x))) return { data, length: shape.at(-2)! };
    return fail(`${this.#path}: tensor ${quote(name)}: expected finite numbers`);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

function namesOf({ name, kind }: AttentionModule): string[] {
  return kind === 'cross' ? [name, `${name}.kv`] : [name];
}

/** The tensor of a module: its name, or the only one that ends so. */
function find(file: SafetensorsFile, name: string): TensorInfo | undefined {
  const { tensors } = file.header;
  const longer = [...tensors.values()].filter((tensor) => tensor.name.endsWith(`.${name}`));
  return tensors.get(name) ?? (longer.length === 1 ? longer[0] : undefined);
}

function checkTensor(file: SafetensorsFile, path: string, name: string, { shape }: Attention): void {
  const tensor = find(file, name);
  const width = shape.hiddenSize;
  const wanted = `${path}: tensor ${quote(name)}: expected F32, F16 or BF16 [sequences, tokens, ${width}] or [tokens, ${width}]`;
  if (!tensor) fail(`${wanted}; not in the file`);
  const { dtype, shape: given } = tensor;
  const tokens = given.slice(0, -1).reduce((a, b) => a * b, 1);
  const fits = (given.length === 2 || given.length === 3) && given.at(-1) === width;
  if (!fits || !['F32', 'F16', 'BF16'].includes(dtype))
    fail(`${wanted}, the hidden size last; got ${dtype} ${list(given)}`);
  if (tokens < shape.headDim) {
    fail(
      `${path}: tensor ${quote(name)}: expected at least ${shape.headDim} tokens (head_dim), got ${tokens}`,
    );
  }
}
