// modules.d.ts: of the peers' types as much as is used here: types are checked where the peers are not installed.

declare module '@jax-js/jax' {
  export type DType = 'float32' | 'float16';

  /** Every operation consumes its operands; `ref` is one more reference to the same array. */
  export interface Array {
    readonly ref: Array;
    readonly dtype: DType;
    readonly ndim: number;
    reshape(shape: readonly number[]): Array;
    astype(type: DType): Array;
    blockUntilReady(): Promise<Array>;
    gpuBuffer(): Promise<GPUBuffer>;
    data(): Promise<Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>;
    dispose(): void;
  }

  export interface Jitted<F> {
    (
      ...args: F extends (...args: infer A) => unknown ? A : never
    ): F extends (...args: never[]) => infer R ? R : never;
    dispose(): void;
  }

  export function init(device: 'webgpu'): Promise<readonly string[]>;
  export function defaultDevice(device: 'webgpu'): void;
  export function getWebGPUDevice(): GPUDevice;
  export function jit<F>(f: F): Jitted<F>;
  /** The value, and its gradient by the first argument. */
  export function valueAndGrad<Tree, Rest extends unknown[]>(
    f: (tree: Tree, ...rest: Rest) => Array,
  ): (tree: Tree, ...rest: Rest) => [Array, Tree];
  export const tree: {
    ref<Tree>(tree: Tree): Tree;
    dispose(tree: unknown): void;
  };
  type Operand = Array | number;
  type Pair = (a: Operand, b: Operand) => Array;
  export const numpy: {
    array(values: Float32Array | Int32Array): Array;
    zeros(shape: readonly number[], options: { readonly dtype: DType }): Array;
    arange(stop: number): Array;
    take(a: Array, indices: Array, axis: number): Array;
    split(a: Array, parts: number, axis: number): Array[];
    concatenate(arrays: readonly Array[], axis?: number): Array;
    where(condition: Array, a: Array, b: Array): Array;
    argmax(a: Array): Array;
    mean(a: Array, axis?: number, options?: { readonly keepdims: boolean }): Array;
    sum(a: Array): Array;
    transpose(a: Array): Array;
    sqrt(a: Array): Array;
    square(a: Array): Array;
  } & Readonly<
    Record<
      'add' | 'subtract' | 'multiply' | 'divide' | 'equal' | 'lessEqual' | 'matvec' | 'matmul' | 'minimum',
      Pair
    >
  >;
  export const nn: {
    silu(a: Array): Array;
    oneHot(a: Array, classes: number): Array;
    logSoftmax(a: Array, axis: number): Array;
    dotProductAttention(
      q: Array,
      k: Array,
      v: Array,
      options: { readonly isCausal?: boolean; readonly mask?: Array },
    ): Array;
  };
}

declare module 'onnxruntime-common' {
  export type TensorData = Float32Array | Uint16Array | Int32Array | BigInt64Array;

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
      fetches: Readonly<Record<string, Tensor | null>>,
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

declare module 'node-llama-cpp' {
  export interface LlamaCppSequence {
    readonly nextTokenIndex: number;
    eraseContextTokenRanges(ranges: { readonly start: number; readonly end: number }[]): Promise<void>;
    controlledEvaluate(
      tokens: [token: number, options: { readonly generateNext: { readonly logits: true } }][],
    ): Promise<({ readonly next: { readonly logits?: ReadonlyMap<number, number> } } | undefined)[]>;
    evaluate(tokens: number[], options: { readonly yieldEogToken: true }): AsyncGenerator<number, void>;
  }

  export interface LlamaCpp {
    readonly gpu: string | false;
    readonly llamaCppRelease: { readonly release: string };
    getGpuDeviceNames(): Promise<string[]>;
    loadModel(options: {
      readonly modelPath: string;
      readonly gpuLayers: number | 'max';
      readonly useMmap: false;
    }): Promise<{
      createContext(options: {
        readonly contextSize: number;
        readonly batchSize: number;
        readonly threads: number;
        readonly experimentalKvCacheKeyType: 'F16' | 'F32';
        readonly experimentalKvCacheValueType: 'F16' | 'F32';
        readonly flashAttention: 'auto' | false;
      }): Promise<{ getSequence(): LlamaCppSequence }>;
      dispose(): Promise<void>;
    }>;
    dispose(): Promise<void>;
  }

  export function getLlama(options: {
    readonly gpu: 'vulkan' | false;
    readonly build: 'never';
    readonly skipDownload: true;
    readonly progressLogs: false;
    readonly logLevel: 'error';
    readonly maxThreads: number;
  }): Promise<LlamaCpp>;
}
