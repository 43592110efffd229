// configUpdate.ts: config.json of the result.
import { asFields, type Fields } from '../models/configFields.ts';
import type { ConversionPlan } from './plan.ts';

/** The parsed config.json with the new number of KV heads, and the head dim written out where it was only implied. */
export function updateConfig(config: unknown, { attention, options }: ConversionPlan): Fields {
  const top = asFields(config, 'config.json');
  const { family, headDim, config: text } = attention;
  const own: Record<string, unknown> = { ...text, [family.kvHeadsField]: options.kvHeads };
  const implied = text['head_dim'] === undefined || text['head_dim'] === null;
  const known = family.loadable && family.kvHeadsField === 'num_key_value_heads';
  if (implied && known) own['head_dim'] = headDim;
  return text === top ? own : { ...top, text_config: own };
}
