// examples.ts: the programs of examples/: what they print when they are right, and where they can run.

/** A program, and the lines that it prints. It ends with an error where its own check finds a wrong result. */
export interface Example {
  readonly name: string;
  readonly prints: RegExp;
}

const ERRORS = 'largest error \\S+, allowed \\S+';

/** Those that run in every runtime and in browsers. */
export const ANYWHERE: readonly Example[] = [
  { name: 'borrowDevice', prints: new RegExp(`^mine lives on; ${ERRORS}\n$`) },
  {
    name: 'ownEncoder',
    prints:
      /^16 layers in one submission, each holds 300 tokens\nlargest error of their sum \S+, allowed \S+\n$/,
  },
  {
    name: 'ownBuffers',
    prints: new RegExp(
      `^501 tokens from strided rows into a cache of 1048576 bytes\n${ERRORS}; all other bytes untouched: true\n$`,
    ),
  },
];

/** It reads a folder: not in browsers. 100 characters behind its prompt. */
export const GENERATE: Example = {
  name: 'generate',
  prints: /^The [\s\S]{100}\n$/,
};

/** Not in Node. */
export const ONNXRUNTIME: Example = {
  name: 'onnxruntime',
  prints: new RegExp(`^8 tokens; ${ERRORS}; onnxruntime-web read the step's output: true\n$`),
};
