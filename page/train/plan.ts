// plan.ts: what a run takes, before anything is allocated: parameters, steps, memory on the GPU. No DOM.
import { factsOf, type DeviceFacts } from '../../src/device/deviceFacts.ts';
import { GqaError } from '../../src/device/errors.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { planTraining } from '../../src/train/allocation.ts';
import { newModel } from '../../src/train/newModel.ts';
import { layOut } from '../../src/train/parameters.ts';
import type { TrainingSize } from '../../src/train/sizes.ts';
import { faultText } from '../shell/faultText.ts';
import { parameterCount } from '../../src/train/weights.ts';

/** What a model and its training take. */
export interface SizePlan {
  readonly parameters: number;
  /** Bytes on the GPU; the reason where it cannot be had. */
  readonly memory: number | { readonly fault: string };
}

/** Facts of the device that an adapter would give: a run asks for all that it has. */
export function factsOfAdapter({ limits, features, info }: GPUAdapter): DeviceFacts {
  return factsOf({ limits, features, adapterInfo: info }, true);
}

/** Of a new multi-head model of a size. */
export function planSize(size: TrainingSize, vocabSize: number, facts: DeviceFacts): SizePlan {
  return planModel(newModel({ ...size, kvHeads: size.heads }, vocabSize, size.context).spec, size, facts);
}

/** Of a multi-head model: those with fewer KV heads take less, and are trained one at a time. */
export function planModel(spec: ModelSpec, { batch, context }: TrainingSize, facts: DeviceFacts): SizePlan {
  const parameters = parameterCount(layOut(spec));
  try {
    return { parameters, memory: planTraining(spec, { batch, context, learns: true }, facts).total };
  } catch (error) {
    if (!(error instanceof GqaError)) throw error;
    return { parameters, memory: { fault: faultText(error) } };
  }
}
