// onnxProto.ts: ONNX models as bytes, written field by field.
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { PeerType, Stored } from './inputs.ts';

// Field numbers and codes are those of onnx.proto.
const MODEL = { irVersion: 1, producerName: 2, graph: 7, opsetImport: 8 };
const OPSET = { domain: 1, version: 2 };
const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12 };
const NODE = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 };
const ATTRIBUTE = { name: 1, float: 2, int: 3, type: 20 };
const VALUE = { name: 1, type: 2 };
const TYPE = { tensor: 1 };
const TENSOR_TYPE = { elementType: 1, shape: 2 };
const SHAPE = { dim: 1 };
const DIM = { value: 1, param: 2 };
const TENSOR = { dims: 1, dataType: 2, name: 8, rawData: 9 };

const ATTRIBUTE_TYPE = { float: 1, int: 2 };
const ELEMENT_TYPE = { f32: 1, int32: 6, int64: 7, f16: 10 } as const;

const IR_VERSION = 8;
const ONNX_OPSET = 18;

/** The domain of onnxruntime's own operators. */
export const CONTRIB = 'com.microsoft';

export type OnnxType = keyof typeof ELEMENT_TYPE;

/** An input or output of a graph; a dimension with a name may have any length. */
export interface OnnxValue {
  readonly name: string;
  readonly type: OnnxType;
  readonly dims: readonly (number | string)[];
}

/** A node; inputs and outputs that are left out have no name. */
export interface OnnxNode {
  readonly op: string;
  /** Default: ONNX's own operators. */
  readonly domain?: typeof CONTRIB;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly ints?: Readonly<Record<string, number>>;
  readonly floats?: Readonly<Record<string, number>>;
}

/** Weights: a constant of a graph. */
export interface OnnxConstant {
  readonly name: string;
  readonly type: PeerType;
  readonly dims: readonly number[];
  readonly data: Stored;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly constants?: readonly OnnxConstant[];
}

/** The bytes of a model. */
export function onnxModel({
  name,
  nodes,
  inputs,
  outputs,
  constants = [],
}: OnnxGraph): Uint8Array<ArrayBuffer> {
  const fields = [
    int(MODEL.irVersion, IR_VERSION),
    text(MODEL.producerName, 'gqa-webgpu'),
    message(
      MODEL.graph,
      ...nodes.map((node, i) => nodeField(node, `${node.op}_${i}`)),
      text(GRAPH.name, name),
      ...constants.map(constantField),
      ...inputs.map((value) => valueField(GRAPH.input, value)),
      ...outputs.map((value) => valueField(GRAPH.output, value)),
    ),
    message(MODEL.opsetImport, text(OPSET.domain, ''), int(OPSET.version, ONNX_OPSET)),
    message(MODEL.opsetImport, text(OPSET.domain, CONTRIB), int(OPSET.version, 1)),
  ];
  return fields.reduce((writer, write) => write(writer), new BinaryWriter()).finish();
}

/** Writes a field, its number first. */
type Field = (writer: BinaryWriter) => BinaryWriter;

function int(field: number, value: number): Field {
  return (writer) => writer.tag(field, WireType.Varint).int64(value);
}

function float(field: number, value: number): Field {
  return (writer) => writer.tag(field, WireType.Bit32).float(value);
}

function text(field: number, value: string): Field {
  return (writer) => writer.tag(field, WireType.LengthDelimited).string(value);
}

function bytes(field: number, { buffer, byteOffset, byteLength }: Stored): Field {
  return (writer) =>
    writer.tag(field, WireType.LengthDelimited).bytes(new Uint8Array(buffer, byteOffset, byteLength));
}

function message(field: number, ...fields: readonly Field[]): Field {
  return (writer) =>
    fields.reduce((inner, write) => write(inner), writer.tag(field, WireType.LengthDelimited).fork()).join();
}

function nodeField({ op, domain, inputs, outputs, ints = {}, floats = {} }: OnnxNode, name: string): Field {
  return message(
    GRAPH.node,
    ...inputs.map((input) => text(NODE.input, input)),
    ...outputs.map((output) => text(NODE.output, output)),
    text(NODE.name, name),
    text(NODE.opType, op),
    ...Object.entries(ints).map(([key, value]) => attribute(key, 'int', int(ATTRIBUTE.int, value))),
    ...Object.entries(floats).map(([key, value]) => attribute(key, 'float', float(ATTRIBUTE.float, value))),
    ...(domain ? [text(NODE.domain, domain)] : []),
  );
}

function attribute(name: string, type: keyof typeof ATTRIBUTE_TYPE, value: Field): Field {
  return message(
    NODE.attribute,
    text(ATTRIBUTE.name, name),
    value,
    int(ATTRIBUTE.type, ATTRIBUTE_TYPE[type]),
  );
}

function constantField({ name, type, dims, data }: OnnxConstant): Field {
  return message(
    GRAPH.initializer,
    ...dims.map((dim) => int(TENSOR.dims, dim)),
    int(TENSOR.dataType, ELEMENT_TYPE[type]),
    text(TENSOR.name, name),
    bytes(TENSOR.rawData, data),
  );
}

function valueField(field: number, { name, type, dims }: OnnxValue): Field {
  const shape = message(
    TENSOR_TYPE.shape,
    ...dims.map((dim) =>
      message(SHAPE.dim, typeof dim === 'number' ? int(DIM.value, dim) : text(DIM.param, dim)),
    ),
  );
  const element = int(TENSOR_TYPE.elementType, ELEMENT_TYPE[type]);
  return message(field, text(VALUE.name, name), message(VALUE.type, message(TYPE.tensor, element, shape)));
}
