// isaSchema.ts: the result of compiling the kernels for GPUs that are not there: its types and their check.
import * as v from 'valibot';
import type { FusedVariant } from '../../src/index.ts';
import { byName, list, maybe, number, object, positive, text, type Read } from './fields.ts';
import { runFields } from './schema.ts';
import { ISA_SCHEMA } from './version.ts';

const isaFamily = object({
  name: text,
  gpu: text,
  /** Mesa's compiler for it, not the vendor's own. */
  compiler: text,
  /** Most subgroups at once; absent where registers do not bound them. */
  mostResident: maybe(positive),
  /** As the driver calls the GPU. */
  adapter: text,
});
export type IsaFamily = Read<typeof isaFamily>;

const isaContext = object({
  date: text,
  tool: runFields.tool,
  runtime: runFields.runtime,
  /** Version of Debian's package of Mesa. */
  mesa: text,
  families: list(isaFamily),
  /** Options that differ from the default, by long flag. */
  nonStandard: byName(text),
});
export type IsaContext = Read<typeof isaContext>;

/** A turn of the loop that loads the cache, of one invocation: bench/isa/assembly/loops.ts. */
const isaLoop = object({
  instructions: positive,
  /** What the turn is for. Absent for a kernel whose loop has loops within. */
  multiplyAdds: maybe(positive),
  loadBytes: number,
  inFlight: number,
  drains: number,
  scratch: number,
  ldsShuffles: maybe(number),
});
export type IsaLoop = Read<typeof isaLoop>;

/** This project, among the engines of a result. */
export const OUR_ENGINE = 'gqa-webgpu';

/** One pipeline of one family, whatever number of steps use it: bench/isa/statistics.ts. */
const isaRow = object({
  family: text,
  /** Whose kernel: OUR_ENGINE, or a peer with its version. */
  engine: text,
  kernel: text,
  /** The steps that use it, as in `h32_kv8_d128_q1_f16`. */
  cases: list(text),
  /** Of the fused kernel. */
  variant: maybe(object({}) as v.GenericSchema as v.GenericSchema<FusedVariant>),
  invocations: positive,
  subgroupSize: positive,
  instructions: positive,
  registers: number,
  spills: maybe(number),
  fills: maybe(number),
  privateBytes: maybe(number),
  resident: maybe(number),
  loop: maybe(isaLoop),
});
export type IsaRow = Read<typeof isaRow>;

export const isaResult = object({
  schema: v.literal(ISA_SCHEMA, `"${ISA_SCHEMA}"`),
  context: isaContext,
  results: list(isaRow),
  /** Steps that a family's device cannot run, with the error's message. */
  refused: list(object({ family: text, id: text, why: text })),
});
export type IsaResult = Read<typeof isaResult>;
