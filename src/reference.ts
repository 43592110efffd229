// reference.ts: the entry `gqa-webgpu/reference`: attention in float64, and how far off a kernel may be. Browser-safe.
export { attention } from './reference/attention.ts';
export type { AttentionResult, Round } from './reference/attention.ts';
export type { AttentionProblem } from './reference/attentionProblem.ts';
export type { ProblemBias, ProblemFeatures, ProblemRelativeBias } from './reference/problemFeatures.ts';
export { randomProblem, storeProblem } from './reference/problem.ts';
export type { ProblemOptions, ProblemValues, StoredProblem } from './reference/problem.ts';
export { expect64, verify } from './reference/verify.ts';
export type { Expected, Verdict } from './reference/verify.ts';
