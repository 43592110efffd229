// onnxModel.ts: an ONNX model of one node, com.microsoft.GroupQueryAttention, written field by field.
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { newTokens, type PeerShape } from './inputs.ts';

// Field numbers and codes are those of onnx.proto.
const MODEL = { irVersion: 1, producerName: 2, graph: 7, opsetImport: 8 };
const OPSET = { domain: 1, version: 2 };
const GRAPH = { node: 1, name: 2, input: 11, output: 12 };
const NODE = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 };
const ATTRIBUTE = { name: 1, int: 3, type: 20 };
const VALUE = { name: 1, type: 2 };
const TYPE = { tensor: 1 };
const TENSOR = { elementType: 1, shape: 2 };
const SHAPE = { dim: 1 };
const DIM = { value: 1 };

const INT_ATTRIBUTE = 2;
const INT32 = 6;
const ELEMENT_TYPE = { f32: 1, f16: 10 } as const;

const IR_VERSION = 8;
const ONNX_OPSET = 18;
const DOMAIN = 'com.microsoft';

/** Names and dimensions of the model's inputs and outputs, in the op's order. */
export function gqaTensors(shape: PeerShape) {
  const { heads, kvHeads, headDim, depth } = shape;
  const added = newTokens(shape);
  const cache = [1, kvHeads, depth, headDim];
  return {
    inputs: {
      query: [1, added, heads * headDim],
      key: [1, added, kvHeads * headDim],
      value: [1, added, kvHeads * headDim],
      past_key: cache,
      past_value: cache,
      seqlens_k: [1],
      total_sequence_length: [1],
    },
    outputs: { output: [1, added, heads * headDim], present_key: cache, present_value: cache },
  };
}

/** What the length inputs hold, as int32: keys but one, and all keys. */
export function gqaLengths({ depth }: PeerShape): { seqlens_k: number; total_sequence_length: number } {
  return { seqlens_k: depth - 1, total_sequence_length: depth };
}

const LENGTHS: readonly string[] = ['seqlens_k', 'total_sequence_length'];

/**
 * The model's bytes. The cache has its full length from the start: with past_key and present_key, and past_value and
 * present_value, in the same memory the op writes the step's token into it instead of copying the whole.
 */
export function gqaModel(shape: PeerShape): Uint8Array<ArrayBuffer> {
  const { inputs, outputs } = gqaTensors(shape);
  const elementType = (name: string) => (LENGTHS.includes(name) ? INT32 : ELEMENT_TYPE[shape.type]);
  const values = (field: number, tensors: Readonly<Record<string, readonly number[]>>) =>
    Object.entries(tensors).map(([name, dims]) => valueInfo(field, name, elementType(name), dims));
  const node = message(
    GRAPH.node,
    ...Object.keys(inputs).map((name) => text(NODE.input, name)),
    ...Object.keys(outputs).map((name) => text(NODE.output, name)),
    text(NODE.name, 'gqa'),
    text(NODE.opType, 'GroupQueryAttention'),
    intAttribute('num_heads', shape.heads),
    intAttribute('kv_num_heads', shape.kvHeads),
    text(NODE.domain, DOMAIN),
  );
  const fields = [
    int(MODEL.irVersion, IR_VERSION),
    text(MODEL.producerName, 'gqa-webgpu'),
    message(
      MODEL.graph,
      node,
      text(GRAPH.name, 'decode'),
      ...values(GRAPH.input, inputs),
      ...values(GRAPH.output, outputs),
    ),
    message(MODEL.opsetImport, text(OPSET.domain, ''), int(OPSET.version, ONNX_OPSET)),
    message(MODEL.opsetImport, text(OPSET.domain, DOMAIN), int(OPSET.version, 1)),
  ];
  return fields.reduce((writer, write) => write(writer), new BinaryWriter()).finish();
}

/** Writes a field, its number first. */
type Field = (writer: BinaryWriter) => BinaryWriter;

function int(field: number, value: number): Field {
  return (writer) => writer.tag(field, WireType.Varint).int64(value);
}

function text(field: number, value: string): Field {
  return (writer) => writer.tag(field, WireType.LengthDelimited).string(value);
}

function message(field: number, ...fields: readonly Field[]): Field {
  return (writer) =>
    fields.reduce((inner, write) => write(inner), writer.tag(field, WireType.LengthDelimited).fork()).join();
}

function intAttribute(name: string, value: number): Field {
  return message(
    NODE.attribute,
    text(ATTRIBUTE.name, name),
    int(ATTRIBUTE.int, value),
    int(ATTRIBUTE.type, INT_ATTRIBUTE),
  );
}

function valueInfo(field: number, name: string, elementType: number, dims: readonly number[]): Field {
  const shape = message(TENSOR.shape, ...dims.map((dim) => message(SHAPE.dim, int(DIM.value, dim))));
  const type = message(VALUE.type, message(TYPE.tensor, int(TENSOR.elementType, elementType), shape));
  return message(field, text(VALUE.name, name), type);
}
