// types.ts: rules that many model types share.
import type { Fields } from '../configFields.ts';
import type { Family, TypeRules } from './family.ts';

/** Each query head has a KV head, unless the file has another number. */
export const MHA: TypeRules = { isMha: true };

/** Multi-head latent attention. */
export const LATENT: TypeRules = { withoutCache: 'latent' };

/** The sizes of a Llama of seven billion parameters, which many classes have by default. */
export const SEVEN_BILLION: Fields = {
  hidden_size: 4096,
  num_attention_heads: 32,
  num_hidden_layers: 32,
};

/** The types of a list of words, all of the same rules. */
export function typesOf(words: string, rules: TypeRules): Record<string, TypeRules> {
  return Object.fromEntries(words.split(' ').map((type) => [type, rules]));
}

/** Families of one type each, that have the same rules and no format that conversion knows. */
export function familiesOf(words: string, rules: TypeRules): Family[] {
  return words.split(' ').map((type) => ({ name: type, types: { [type]: rules }, formats: [] }));
}
