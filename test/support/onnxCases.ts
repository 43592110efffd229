// onnxCases.ts: ONNX's own operator tests, in test/kernels/onnx: a file for each case.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { SafetensorsFile } from '../../src/checkpoint/format/file.ts';

const ROOT = fileURLToPath(new URL('../kernels/onnx', import.meta.url));

/** A case: the node's attributes and the names of its inputs; its tensors are `input_0`, .. and `output_0`. */
export interface OnnxCase {
  readonly attributes: Readonly<Record<string, string>>;
  readonly floats: (name: string) => Promise<{ shape: readonly number[]; data: Float32Array<ArrayBuffer> }>;
  readonly whole: (name: string) => Promise<number[]>;
}

/** The names of all cases, or of those that begin so. */
export function onnxCases(op = /^/): string[] {
  return readdirSync(ROOT).filter((name) => name.endsWith('.safetensors') && op.test(name));
}

export async function withCase(name: string, use: (each: OnnxCase) => Promise<void>): Promise<void> {
  const file = await SafetensorsFile.open(join(ROOT, name));
  try {
    await use({
      attributes: file.header.metadata,
      floats: (tensor) => file.readFloat32(tensor),
      whole: async (tensor) => {
        const bytes = await file.read(tensor);
        return Array.from(new BigInt64Array(bytes.slice().buffer), Number);
      },
    });
  } finally {
    await file.close();
  }
}

/** Within ONNX's own tolerance: 1e-3 of the value and 1e-7; here a hundredth of it. */
export function expectClose(got: ArrayLike<number>, want: ArrayLike<number>): void {
  expect(got).toHaveLength(want.length);
  for (let i = 0; i < want.length; i++) {
    expect(Math.abs(got[i]! - want[i]!), `element ${i}`).toBeLessThanOrEqual(
      1e-5 * Math.abs(want[i]!) + 1e-6,
    );
  }
}
