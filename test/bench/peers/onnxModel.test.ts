// onnxModel.test.ts: the model read back field by field.
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { expect, test } from 'vitest';
import { gqaLengths, gqaModel, gqaTensors } from '../../../bench/peers/onnxModel.ts';

/** Fields of a message by number: numbers of varints, bytes of the rest. */
function read(bytes: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const fields = new Map<number, (number | Uint8Array)[]>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    const value = type === WireType.Varint ? Number(reader.int64()) : reader.bytes();
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

const sub = (fields: ReturnType<typeof read>, field: number) =>
  (fields.get(field) ?? []).map((value) => read(value as Uint8Array));
const words = (fields: ReturnType<typeof read>, field: number) =>
  (fields.get(field) ?? []).map((value) => new TextDecoder().decode(value as Uint8Array));

/** Name, element type and dimensions of a graph's inputs or outputs. */
function values(graph: ReturnType<typeof read>, field: number) {
  return sub(graph, field).map((info) => {
    const tensor = sub(sub(info, 2)[0]!, 1)[0]!;
    const dims = sub(sub(tensor, 2)[0]!, 1).map((dim) => dim.get(1)![0]);
    return [words(info, 1)[0], tensor.get(1)![0], dims];
  });
}

test('the model is one GroupQueryAttention node whose cache has its full length', () => {
  const shape = { heads: 32, kvHeads: 8, headDim: 128, depth: 4096, type: 'f16' } as const;
  const model = read(gqaModel(shape));
  expect(model.get(1)).toEqual([8]);
  expect(sub(model, 8).map((opset) => [words(opset, 1)[0], opset.get(2)![0]])).toEqual([
    ['', 18],
    ['com.microsoft', 1],
  ]);
  const [graph] = sub(model, 7);
  const [node] = sub(graph!, 1);
  expect(words(node!, 4)).toEqual(['GroupQueryAttention']);
  expect(words(node!, 7)).toEqual(['com.microsoft']);
  expect(words(node!, 1)).toEqual(Object.keys(gqaTensors(shape).inputs));
  expect(words(node!, 2)).toEqual(['output', 'present_key', 'present_value']);
  expect(sub(node!, 5).map((a) => [words(a, 1)[0], a.get(3)![0], a.get(20)![0]])).toEqual([
    ['num_heads', 32, 2],
    ['kv_num_heads', 8, 2],
  ]);
  const cache = [1, 8, 4096, 128];
  expect(values(graph!, 11)).toEqual([
    ['query', 10, [1, 1, 4096]],
    ['key', 10, [1, 1, 1024]],
    ['value', 10, [1, 1, 1024]],
    ['past_key', 10, cache],
    ['past_value', 10, cache],
    ['seqlens_k', 6, [1]],
    ['total_sequence_length', 6, [1]],
  ]);
  expect(values(graph!, 12)).toEqual([
    ['output', 10, [1, 1, 4096]],
    ['present_key', 10, cache],
    ['present_value', 10, cache],
  ]);
  expect(gqaLengths(shape)).toEqual({ seqlens_k: 4095, total_sequence_length: 4096 });
});

test('f32 tensors have their own element type', () => {
  const model = read(gqaModel({ heads: 2, kvHeads: 1, headDim: 64, depth: 3, type: 'f32' }));
  expect(values(sub(model, 7)[0]!, 12)[0]).toEqual(['output', 1, [1, 1, 128]]);
});
