// usual.ts: what most results have in common, and the names of their fields. Links are read by it: changed values and names in
// another order are another version (shareLink.ts); a name more at the end is none.
import type { Json } from './delta.ts';

export const USUAL_CONTEXT: Json = {
  tool: { name: 'gqa-webgpu', version: '0.1.0' },
  runtime: { kind: 'chrome' },
  adapter: { vendor: '', architecture: '', device: '', description: '', software: false },
  features: [],
  limits: {},
  timer: { source: 'gpu-timestamp', stepNs: 65536, demoted: false },
  ceiling: { bytes: 2 ** 26, samplesNs: [], samples: 9 },
  host: { plan64Ns: null },
  coldBytes: 2 ** 28,
  crossOriginIsolated: true,
  seed: 42,
  order: 'interleaved',
  nonStandard: {},
  warnings: [],
};

/** Behind it stands the first row of a result. */
export const USUAL_ROW: Json = {
  params: {
    model: 'llama-3.1-8b',
    heads: 32,
    kvHeads: 32,
    headDim: 128,
    batch: 1,
    depth: 1024,
    capacity: 1024,
    kType: 'f16',
    vType: 'f16',
    cache: 'cold',
    kernel: 'auto',
  },
  kernel: 'registers',
  tuned: false,
  dispatches: ['decode_registers', 'decode_merge'],
  bytes: { partial: 0 },
  cold: true,
  check: { ref: 'cpu-f64', pass: true },
  checkAfter: { ref: 'cpu-f64', pass: true },
  time: { stop: 'converged' },
  host: { planNs: null, recordNs: null },
  warnings: [],
};

export const NAMES: readonly string[] = `
  median ci95 min samples samplesNs wallNs firstNs stepsPerSample stop time params kvHeads depth
  capacity bytes kvRead partial splits splitLen workingSetBytes check checkAfter maxAbsErr bound ref
  pass host planNs recordNs plan64Ns warnings code text clockNs sizes kernel tuned dispatches cold
  error model heads headDim batch kType vType cache requests id test variant notFinite schema suite
  date tool name version commit runtime kind label adapter vendor architecture device description
  software subgroupMinSize subgroupMaxSize features limits timer source stepNs wallLateNs wallRatio
  demoted ceiling readGBps wgSize groups coldBytes seed order nonStandard crossOriginIsolated
  lastLevelCacheBytes rows reason
`
  .trim()
  .split(/\s+/);
