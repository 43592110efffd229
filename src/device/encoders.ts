// encoders.ts: remembers which device an encoder or pass is of, whether it is open and was submitted; WebGPU tells none of it.
//
// Work recorded into an encoder of another device, or into one that was finished, is refused by WebGPU much later, if at all,
// and what was counted when it was recorded never happens. So the method that makes encoders is wrapped on each device that
// we use, and its queue's that submits, and on each encoder the methods that make passes and finish it. Nothing else about
// them changes.
import { ForeignDeviceError, ShapeError } from './errors.ts';
import { describe, isObject } from './options.ts';

/** Where to record: an encoder (a compute pass is opened and ended) or a compute pass of the caller's. */
export type RecordTarget = GPUCommandEncoder | GPUComputePassEncoder;

/** What became of an encoder's work. */
export interface Fate {
  readonly submitted: boolean;
}

interface Recording {
  readonly device: GPUDevice;
  ended: boolean;
}

interface PassRecording extends Recording {
  readonly encoder: EncoderRecording;
  readonly end: () => void;
}

interface EncoderRecording extends Recording {
  readonly beginComputePass: GPUCommandEncoder['beginComputePass'];
  readonly beginRenderPass: GPUCommandEncoder['beginRenderPass'];
  readonly finish: GPUCommandEncoder['finish'];
  pass: PassRecording | undefined;
  readonly fate: { submitted: boolean };
}

const encoders = new WeakMap<object, EncoderRecording>();
const passes = new WeakMap<object, PassRecording>();
const commands = new WeakMap<GPUCommandBuffer, EncoderRecording['fate']>();
const watched = new WeakSet<GPUDevice>();

/** Remembers every encoder that the device makes from now on, and whether its queue was given their work. */
export function watchEncoders(device: GPUDevice): void {
  if (watched.has(device)) return;
  watched.add(device);
  watchQueue(device.queue);
  const create = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (descriptor) => {
    const encoder = create(descriptor);
    encoders.set(encoder, {
      device,
      ended: false,
      pass: undefined,
      fate: { submitted: false },
      beginComputePass: encoder.beginComputePass.bind(encoder),
      beginRenderPass: encoder.beginRenderPass.bind(encoder),
      finish: encoder.finish.bind(encoder),
    });
    return Object.assign(encoder, WATCHED_ENCODER);
  };
}

function watchQueue(queue: GPUQueue): void {
  const submit = queue.submit.bind(queue);
  queue.submit = (given) => {
    const all = [...given]; // an iterator can be read once
    submit(all);
    for (const each of all) {
      const fate = commands.get(each);
      if (fate) fate.submitted = true;
    }
  };
}

const WATCHED_ENCODER = {
  beginComputePass(this: GPUCommandEncoder, descriptor?: GPUComputePassDescriptor): GPUComputePassEncoder {
    const encoder = encoders.get(this)!;
    return watchPass(encoder, encoder.beginComputePass(descriptor));
  },
  beginRenderPass(this: GPUCommandEncoder, descriptor: GPURenderPassDescriptor): GPURenderPassEncoder {
    const encoder = encoders.get(this)!;
    return watchPass(encoder, encoder.beginRenderPass(descriptor));
  },
  finish(this: GPUCommandEncoder, descriptor?: GPUCommandBufferDescriptor): GPUCommandBuffer {
    const encoder = encoders.get(this)!;
    encoder.ended = true;
    const finished = encoder.finish(descriptor);
    commands.set(finished, encoder.fate);
    return finished;
  },
};

const WATCHED_PASS = {
  end(this: GPUComputePassEncoder | GPURenderPassEncoder): undefined {
    const pass = passes.get(this)!;
    pass.ended = true;
    pass.end();
  },
};

function watchPass<P extends GPUComputePassEncoder | GPURenderPassEncoder>(
  encoder: EncoderRecording,
  pass: P,
): P {
  encoder.pass = { device: encoder.device, encoder, ended: false, end: pass.end.bind(pass) };
  passes.set(pass, encoder.pass);
  return Object.assign(pass, WATCHED_PASS);
}

/**
 * Throws ShapeError for what is no encoder and no compute pass or is not open any more, ForeignDeviceError for one of another
 * device. One that was made before its device was borrowed is not known and let through.
 */
export function checkTarget(
  where: string,
  { gpu, owned }: { readonly gpu: GPUDevice; readonly owned: boolean },
  target: RecordTarget,
): void {
  if (!isEncoder(target) && !isComputePass(target)) {
    throw new ShapeError(
      `${where}: expected a GPUCommandEncoder or a GPUComputePassEncoder, got ${describe(target)}`,
    );
  }
  const encoder = encoders.get(target);
  const pass = passes.get(target);
  const known = encoder ?? pass;
  if (known ? known.device !== gpu : owned) {
    throw new ForeignDeviceError(`${where}: expected an encoder or pass of this device, got one of another`);
  }
  if (known?.ended || pass?.encoder.ended) {
    const how = encoder ? 'finished' : pass?.ended ? 'ended' : 'left open when its encoder was finished';
    throw new ShapeError(`${where}: expected an open encoder or pass, got one that was ${how}`);
  }
  if (encoder?.pass?.ended === false) {
    throw new ShapeError(
      `${where}: expected an encoder without an open pass; record into the pass, or end it first`,
    );
  }
}

/** What becomes of work that is recorded into the target; undefined for one that was made before its device was borrowed. */
export function fateOf(target: RecordTarget): Fate | undefined {
  return (encoders.get(target) ?? passes.get(target)?.encoder)?.fate;
}

/** Is the target an encoder, on which a pass must be opened? */
export function isEncoder(target: RecordTarget): target is GPUCommandEncoder {
  return isObject(target) && 'beginComputePass' in target;
}

function isComputePass(target: RecordTarget): boolean {
  return isObject(target) && 'dispatchWorkgroups' in target;
}
