// wholeLoad.ts: one size of model at one depth: its reference, and what a contestant is timed and checked by.
import { arithmeticOf } from '../contestants.ts';
import { kvBytes, peerParams } from '../inputs.ts';
import { shapeId } from '../peerRow.ts';
import type { PeerLoad, PeerWorkload } from '../peerWorkload.ts';
import { checkAnswer, expectWhole } from './expected.ts';
import { makeLlama, stepWeightBytes, type LlamaSizes } from './llama.ts';
import type { WholeHost } from './wholeHost.ts';
import { randomTokens } from './wholeTarget.ts';

/** Tokens of the text that answers are checked by. */
const PROMPT_TOKENS = 8;
const GREEDY_TOKENS = 4;

/** A model that takes its token behind `depth` others; `coldBytes` are more than caches hold. */
export function wholeLoad(
  sizes: LlamaSizes,
  depth: number,
  { seed, coldBytes }: { readonly seed: number; readonly coldBytes: number },
): PeerLoad<WholeHost> {
  const { layers, heads, kvHeads, headDim, mlp, vocab, type } = sizes;
  const shape = { heads, kvHeads, headDim, depth, type };
  const id = `llama_${shapeId(shape)}`;
  const make = async (): Promise<PeerWorkload<WholeHost>> => {
    const llama = await makeLlama(sizes, seed);
    const prompt = randomTokens(PROMPT_TOKENS, vocab, seed);
    const expected = await expectWhole(llama.source, type, prompt, GREEDY_TOKENS);
    const bytes = { kvRead: layers * kvBytes(shape), weights: stepWeightBytes(llama) };
    const workingSetBytes = bytes.kvRead + bytes.weights;
    return {
      id,
      params: { ...peerParams(shape), model: { layers, mlp, vocab } },
      bytes,
      copies: 1,
      workingSetBytes,
      cold: workingSetBytes >= coldBytes,
      async bind(host, { engine }) {
        const target = await host.load(engine, sizes, seed, depth);
        const { greedy } = expected;
        const check = async () =>
          checkAnswer(expected, arithmeticOf(engine, type), await target.answer(prompt, greedy));
        return { ...target, check };
      },
    };
  };
  return { id, make };
}
