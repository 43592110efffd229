// describeMlp.ts: a layer's feed-forward network: its activation, and where its projections are.
import type { Activation } from '../../kernels/model/product.ts';
import type { MlpSpec } from '../../models/decoder/spec.ts';
import { inLayer } from '../find/detect.ts';
import { describe, fail, list, quote } from '../format/checkpointError.ts';
import { missing, projection, type Source } from './source.ts';

/** The feed-forward network of a layer. */
export function mlpOf(source: Source, layer: number): MlpSpec {
  const { format, attention, tensors, prefix, where, config } = source;
  const { hiddenSize } = attention.shape;
  const transposed = format.transposed === true;
  const named = (name: string) => prefix + inLayer(name, layer);
  const outputsOf = (name: string) => {
    const { shape } = tensors.get(name) ?? missing(source, name);
    return shape[transposed ? 1 : 0] ?? 0;
  };
  const { mlp } = format;
  const { mlpBias } = source.has;
  const down = named(mlp.down);
  const projections = (() => {
    if ('gateUp' in mlp) {
      const name = named(mlp.gateUp);
      const width = outputsOf(name) / 2;
      return {
        gate: projection(source, name, transposed, width, (row) => row, mlpBias),
        up: projection(source, name, transposed, width, (row) => width + row, mlpBias),
      };
    }
    const gate = mlp.gate === undefined ? undefined : named(mlp.gate);
    const up = named(mlp.up);
    const plain = (name: string) =>
      projection(source, name, transposed, outputsOf(name), (row) => row, mlpBias);
    return { ...(gate !== undefined && { gate: plain(gate) }), up: plain(up) };
  })();
  const width = projections.up.outputs;
  const given = config['intermediate_size'] ?? config['n_inner'] ?? config['d_ff'];
  const { shape: tensorShape } = tensors.get(down) ?? missing(source, down);
  const expected = transposed ? [width, hiddenSize] : [hiddenSize, width];
  if (tensorShape.join() !== expected.join() || (typeof given === 'number' && given !== width)) {
    fail(
      `${where}: tensor ${quote(down)}: expected ${list(expected)} by the projections before it and config.json (${describe(given)} wide), got ${list(tensorShape)}`,
    );
  }
  return {
    activation: activationOf(source),
    ...projections,
    down: projection(source, down, transposed, hiddenSize, (row) => row, mlpBias),
  };
}

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu_erf',
  gelu_python: 'gelu_erf',
  gelu_new: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  // As T5 says it.
  'gated-gelu': 'gelu_tanh',
  'gated-silu': 'silu',
  'gated-relu': 'relu',
  relu: 'relu',
  relu2: 'relu_squared',
};

function activationOf({ format, config, where }: Source): Activation {
  const { fields, usual, renamed = {} } = format.activation;
  const given =
    fields.map((each) => config[each]).find((value) => value !== undefined && value !== null) ?? usual;
  const name = typeof given === 'string' ? (renamed[given] ?? given) : given;
  const known = typeof name === 'string' && Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (known) return known;
  return fail(
    `${where}/config.json: ${fields[0]} of ${describe(name)} is not known: expected ${Object.keys(ACTIVATIONS).join(', ')}`,
  );
}
