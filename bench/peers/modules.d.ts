// modules.d.ts: of the peers' types as much as is used here: types are checked where the peers are not installed.

declare module '@jax-js/jax' {
  /** Every operation consumes its operands; `ref` is one more reference to the same array. */
  export interface Array {
    readonly ref: Array;
    reshape(shape: readonly number[]): Array;
    astype(type: 'float32' | 'float16'): Array;
    blockUntilReady(): Promise<Array>;
    gpuBuffer(): Promise<GPUBuffer>;
    data(): Promise<Float32Array<ArrayBuffer>>;
    dispose(): void;
  }

  export interface Jitted<F> {
    (...args: F extends (...args: infer A) => unknown ? A : never): Array;
    dispose(): void;
  }

  export function init(device: 'webgpu'): Promise<readonly string[]>;
  export function defaultDevice(device: 'webgpu'): void;
  export function getWebGPUDevice(): GPUDevice;
  export function jit<F>(f: F): Jitted<F>;
  export const numpy: { array(values: Float32Array): Array };
  export const nn: {
    dotProductAttention(q: Array, k: Array, v: Array, options: { readonly isCausal: boolean }): Array;
  };
}

declare module 'onnxruntime-common' {
  export type TensorData = Float32Array | Uint16Array | Int32Array;

  export interface Tensor {
    readonly data: TensorData;
  }

  export interface TensorConstructor {
    new (type: string, data: TensorData, dims: readonly number[]): Tensor;
    fromGpuBuffer(
      buffer: GPUBuffer,
      options: { readonly dataType: string; readonly dims: readonly number[] },
    ): Tensor;
  }

  export interface InferenceSession {
    run(
      feeds: Readonly<Record<string, Tensor>>,
      fetches: Readonly<Record<string, Tensor>>,
    ): Promise<Readonly<Record<string, Tensor>>>;
    release(): Promise<void>;
  }

  export interface Onnxruntime {
    readonly Tensor: TensorConstructor;
    readonly InferenceSession: {
      create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<InferenceSession>;
    };
    readonly env: {
      logLevel: string;
      readonly wasm: { numThreads: number };
      readonly webgpu: { readonly device: Promise<GPUDevice> };
    };
  }
}

declare module 'onnxruntime-web/webgpu' {
  const onnxruntime: import('onnxruntime-common').Onnxruntime;
  export default onnxruntime;
}

declare module 'onnxruntime-node' {
  const onnxruntime: import('onnxruntime-common').Onnxruntime;
  export default onnxruntime;
}

declare module 'core-js/es/iterator/index.js';
