// decodeStep.ts: one layer's step: records its kernels into the caller's encoder or pass.
import type { KvCache } from '../cache/kvCache.ts';
import { checkWindow } from '../cache/rings.ts';
import { ShapeError } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { beginPass, endPass, type RecordTarget } from '../device/record.ts';
import type { RecordStep, StepBuffers } from './path.ts';
import { checkPlan, type DecodePlan } from './plan.ts';
import type { PlanContext } from './planContext.ts';

/** What a step needs of the decoder that bound it. */
interface StepDecoder {
  readonly device: GqaDevice;
  readonly cache: KvCache;
  readonly context: PlanContext;
  assertUsable(): void;
}

/** Buffers of a step that recording looks at. */
type BoundBuffers = Pick<StepBuffers, 'q' | 'o' | 'lse' | 'ring'>;

/** One layer's step with its buffers bound. */
export class DecodeStep {
  readonly #decoder: StepDecoder;
  readonly #layer: number;
  readonly #record: RecordStep;
  readonly #buffers: BoundBuffers;
  readonly #biasKeys: number;

  /** @internal Use Decoder.bind. */
  constructor(
    decoder: StepDecoder,
    layer: number,
    record: RecordStep,
    buffers: BoundBuffers,
    biasKeys: number,
  ) {
    this.#decoder = decoder;
    this.#layer = layer;
    this.#record = record;
    this.#buffers = buffers;
    this.#biasKeys = biasKeys;
  }

  /**
   * Records the step into an encoder (a pass is opened and ended) or a compute pass (left open). Synchronous, never
   * submits. Any number of steps and plans may be recorded before that, and submitted in any order. Throws ShapeError for
   * another decoder's plan, for one over more tokens than the layer holds or its bias has, over more rows than were bound, or
   * of before the pages of a sequence changed or its ring overwrote keys, and for a target that is not open; ForeignDeviceError for a target of another
   * device. Nothing was recorded then.
   */
  record(target: RecordTarget, plan: DecodePlan): void {
    this.#decoder.assertUsable();
    checkPlan('record', plan, this.#decoder.context);
    const held = this.#decoder.cache.lengths.live(this.#layer);
    for (let b = 0; b < held.length; b++) {
      if (plan.kvLens[b]! > held[b]!) {
        throw new ShapeError(
          `record: layer ${this.#layer}, sequence ${b}: expected a plan for at most the ${held[b]} tokens held, got ${plan.kvLens[b]}`,
        );
      }
    }
    this.#checkPages(plan);
    this.#checkRing(plan);
    this.#checkBias(plan);
    this.#checkReach(plan);
    const pass = beginPass('record', this.#decoder.device, target);
    this.#decoder.cache.recordCopies(pass, target);
    if (plan.items > 0) this.#recordParts(pass, plan);
    endPass(target, pass);
    this.#decoder.cache.noteRead(this.#layer, target);
  }

  #recordParts(pass: GPUComputePassEncoder, plan: DecodePlan): void {
    const { parts } = plan;
    let offset = 0;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i]!;
      offset = this.#buffers.ring.place(part.stepWords, part);
      this.#record.part(pass, plan, part, offset);
    }
    this.#record.join(pass, plan, offset);
  }

  // Loops, for a function in each call would be garbage.

  /** A sequence that was truncated, reset or forked since, or whose page became its own, lies elsewhere now. */
  #checkPages({ pageVersions }: DecodePlan): void {
    const versions = this.#decoder.cache.pageTables?.versions;
    if (!versions) return;
    for (let b = 0; b < versions.length; b++) {
      if (versions[b] === pageVersions?.[b]) continue;
      throw new ShapeError(
        `record: layer ${this.#layer}, sequence ${b}: expected a plan made since its pages changed, got one of before`,
      );
    }
  }

  /** What a ring has overwritten since a plan was made, or a sequence was truncated, is not there. */
  #checkRing({ kvLens, qLens }: DecodePlan): void {
    const { layout, shape } = this.#decoder.context;
    const { ring } = layout;
    if (!ring) return;
    const written = this.#decoder.cache.lengths.written(this.#layer);
    for (let b = 0; b < kvLens.length; b++) {
      const kvLen = kvLens[b]!;
      const qLen = qLens[b]!;
      checkWindow(
        this.#layer,
        b,
        ring,
        kvLen - (shape.features.window! + qLen - 1),
        qLen > 0 ? kvLen : 0,
        written[b]!,
      );
    }
  }

  #checkBias({ kvLens }: DecodePlan): void {
    for (let b = 0; b < kvLens.length; b++) {
      if (kvLens[b]! <= this.#biasKeys) continue;
      throw new ShapeError(
        `record: layer ${this.#layer}, sequence ${b}: expected a plan for at most the ${this.#biasKeys} keys of the bias, got ${kvLens[b]}`,
      );
    }
  }

  #checkReach({ reach }: DecodePlan): void {
    const { q, o, lse } = this.#buffers;
    this.#checkBytes('q', q.size, reach.q);
    this.#checkBytes('o', o.size, reach.o);
    if (lse) this.#checkBytes('lse', lse.size, reach.lse);
  }

  #checkBytes(name: string, bound: number, needed: number): void {
    if (bound >= needed) return;
    throw new ShapeError(
      `record: layer ${this.#layer}: ${name}: expected at least ${needed} bytes for the plan's rows, got ${bound}`,
    );
  }

  /** Records into an encoder of its own and submits; does not wait. */
  run(plan: DecodePlan): void {
    const { gpu } = this.#decoder.device;
    const encoder = gpu.createCommandEncoder({ label: 'decode step' });
    this.record(encoder, plan);
    gpu.queue.submit([encoder.finish()]);
  }
}
