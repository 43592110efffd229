// version.ts: the versions of results.

/** Bumped when files of an older version cannot be read any more. */
export const SCHEMA = 'gqa-bench/1';

/** Bumped as SCHEMA is; a run of several engines has a result of its own kind. */
export const PEER_SCHEMA = 'gqa-peers/1';

/** Bumped as SCHEMA is; a step of a whole model has parts that one of attention has not. */
export const WHOLE_SCHEMA = 'gqa-whole/1';

/** Bumped as SCHEMA is; what compilers say of the kernels is no measurement. */
export const ISA_SCHEMA = 'gqa-isa/1';

/** Bumped as SCHEMA is; losses of models that were converted and trained on. */
export const REPRODUCE_SCHEMA = 'gqa-reproduce/1';

/** Bumped when numbers stop being comparable: another default, another way to measure. */
export const SUITE = '2';
