// configUpdate.ts: config.json of the result: the source's text with other numbers in it.
import { applyEdits, modify } from 'jsonc-parser';
import type { ConversionPlan } from './plan.ts';

/**
 * The text of config.json with the new number of KV heads, and the head dim written out where it was only implied.
 * All else stays as it is written: a number read and written again would lose its form, and a strict loader refuses
 * 30 where it expects 30.0.
 */
export function updateConfig(text: string, { attention, options }: ConversionPlan): string {
  const { family, headDim, config, inside } = attention;
  const implied = config['head_dim'] === undefined || config['head_dim'] === null;
  const known = family.loadable && family.kvHeadsField === 'num_key_value_heads';
  const numbers = { [family.kvHeadsField]: options.kvHeads, ...(implied && known && { head_dim: headDim }) };
  const formattingOptions = formOf(text);
  return Object.entries(numbers).reduce((edited, [name, value]) => {
    const path = inside === undefined ? [name] : [inside, name];
    return applyEdits(edited, modify(edited, path, value, { formattingOptions }));
  }, text);
}

/** How new members are laid out: as the first one is, or all in one line. */
function formOf(text: string) {
  const [, indent] = /\{\r?\n([ \t]+)/.exec(text) ?? [];
  return { insertSpaces: !indent?.startsWith('\t'), tabSize: indent?.length ?? 2, keepLines: true };
}
