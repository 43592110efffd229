// numbers.ts: the numbers that training kernels take, packed as their shaders declare them.
import { structLayout } from '../../device/structs.ts';

/** Words of a `numbers` binding, by the names of its fields. */
export type PackNumbers<Name extends string> = (
  numbers: Readonly<Record<Name, number>>,
) => Uint32Array<ArrayBuffer>;

/** What packs the fields of a struct, whose types the host states as the shader does. */
export function numbersOf<Name extends string>(
  wgsl: string,
  struct: string,
  types: Readonly<Record<Name, 'u32' | 'f32'>>,
): PackNumbers<Name> {
  const { word, words: count } = structLayout(wgsl, struct, types);
  const names = Object.keys(types) as Name[];
  return (numbers) => {
    const words = new Uint32Array(count);
    const floats = new Float32Array(words.buffer);
    for (const name of names) (types[name] === 'f32' ? floats : words)[word[name]] = numbers[name];
    return words;
  };
}
