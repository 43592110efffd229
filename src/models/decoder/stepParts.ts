// stepParts.ts: the parts of a model's step, each of which can be recorded by itself.

/**
 * Parts of a step: `embedding` with the norm behind it; `attention` appends to the caches and reads them; `projections` are those in
 * front of it and behind; `head` with the choice of a token. Norms belong to the part that they stand next to.
 */
export const STEP_PARTS = ['embedding', 'projections', 'attention', 'mlp', 'head'] as const;
export type StepPart = (typeof STEP_PARTS)[number];

/** All of a step. */
export const WHOLE_STEP: ReadonlySet<StepPart> = new Set(STEP_PARTS);
