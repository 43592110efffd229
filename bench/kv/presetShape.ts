// presetShape.ts: a preset as a shape that says where its numbers are from.
import type { ConfigShape } from '../../src/models/config.ts';
import { findPreset, type ModelShape } from '../../src/models/presets.ts';

/** The shape of the preset called `id`. An unknown one is a GqaError that lists the nearest names. */
export function presetShape(id: string): ConfigShape {
  const preset = findPreset(id);
  return { ...preset, notes: [presetNote(preset), `shape from ${preset.source}`] };
}

function presetNote({ hiddenSize, numQHeads, headDim }: ModelShape): string {
  const quotient = hiddenSize / numQHeads;
  const division = `hidden size / heads = ${hiddenSize} / ${numQHeads}`;
  return quotient === headDim
    ? `head_dim ${headDim} = ${division}`
    : `head_dim ${headDim} from the model's config; not ${division} = ${Number(quotient.toFixed(2))}`;
}
