// noRope.ts: layers that are told apart by whether they have rotary positions: those of Llama 4 and SmolLM3.
import { listOf, optional, type ConfigFile } from '../configFields.ts';
import type { LayerKind } from '../kvLayers.ts';
import { SHAPE_LIMITS } from '../limits.ts';
import type { WindowRule } from './family.ts';

/** Whether a layer has rotary positions. */
export function hasRope(file: ConfigFile, layer: number): boolean {
  const list = listOf(file, 'no_rope_layers');
  if (list && list.length > 0) return list[layer] !== 0;
  const n = optional(file, ['no_rope_layer_interval'], SHAPE_LIMITS.layers)?.value ?? 4;
  return (layer + 1) % n !== 0;
}

/** The kinds of layers with rotary positions and without. A list says which are which (1 for rotary), or every n-th has none. */
export function noRopeRule(
  file: ConfigFile,
  layers: number,
  kinds: { readonly rotary: LayerKind; readonly without: LayerKind },
): WindowRule {
  const [name, every] = ['no_rope_layers', 'no_rope_layer_interval'];
  const given = listOf(file, name);
  const list = given && given.length > 0 ? listOf(file, name, layers) : undefined;
  const n = optional(file, [every], SHAPE_LIMITS.layers)?.value ?? 4;
  const ofLayers = Array.from({ length: layers }, (_, layer) => {
    const isRotary = list ? list[layer] !== 0 : (layer + 1) % n !== 0;
    return isRotary ? kinds.rotary : kinds.without;
  });
  return {
    name: list ? name : every,
    kinds: ofLayers,
    why: list ? `from "${name}"` : `by one in ${n} ("${every}")`,
  };
}
