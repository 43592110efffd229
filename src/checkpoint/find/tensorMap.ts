// tensorMap.ts: the tensor names of a family that is not known, as callers give them, and the format they make.
import type { CheckpointFormat } from '../../models/families/family.ts';
import type { PartSpec } from '../../models/families/moduleSpec.ts';
import { IN_CONFIG, ROTARY } from '../../models/families/format.ts';

/** What a tensor holds: heads of q, k or v, the output projection, or q, k and v fused (`grouped`: KV head by KV head). */
export type MapRole = 'q' | 'k' | 'v' | 'o' | 'qkv' | 'grouped';

export const MAP_ROLES: readonly MapRole[] = ['q', 'k', 'v', 'o', 'qkv', 'grouped'];

/** The weight of one role in every layer. */
export interface MapEntry {
  readonly role: MapRole;
  /** Its name, with one `{layer}` for the number of the layer. */
  readonly name: string;
  /** True for a weight [in, out]. Default false. */
  readonly transposed?: boolean;
}

export function hasOneLayer(name: string): boolean {
  return name.split('{layer}').length === 2;
}

/** What is wrong with a map as a whole, if anything is: "expected ..., got ...". */
export function mapFault(entries: readonly MapEntry[]): string | undefined {
  const given = entries
    .map(({ role }) => role)
    .toSorted()
    .join(' ');
  if (!['k o q v', 'o qkv', 'grouped o'].includes(given)) {
    return `expected q, k, v and o, or qkv and o, or grouped and o, got ${given || 'none of them'}`;
  }
  const twice = entries.find(({ name }, i) => entries.findIndex((other) => other.name === name) !== i);
  return twice && `expected a name of its own for each role, got ${twice.name} twice`;
}

/** The format that a map without fault describes. How positions enter is not in it. */
export function mapFormat(entries: readonly MapEntry[]): CheckpointFormat {
  const output = entries.find(({ role }) => role === 'o')!.name;
  // A bias of the output projection has no heads.
  const unchanged = [output.replace(/\.weight$/, '.bias')];
  return {
    name: 'by --map',
    modelTypes: [],
    modules: [
      { kind: 'self', folder: undefined, parts: entries.flatMap(partsOf), unchanged, norms: undefined },
    ],
    ...IN_CONFIG,
    ...ROTARY,
    when: () => false,
  };
}

/** The weight and, unless it is the output projection, the bias that may stand beside it. */
function partsOf({ role, name, transposed = false }: MapEntry): PartSpec[] {
  const along = (role === 'o') === transposed ? 0 : 1;
  const weight = {
    name,
    order: role,
    axis: along,
    rows: 'headDim',
    other: 'hidden',
    optional: false,
  } as const;
  if (role === 'o' || !name.endsWith('.weight')) return [weight];
  const bias = name.replace(/weight$/, 'bias');
  return [weight, { ...weight, name: bias, axis: 0, other: 'none', optional: true }];
}
