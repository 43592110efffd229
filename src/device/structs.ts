// structs.ts: where the fields of a WGSL struct lie, read from the shader's own text, so that the host packs by name.

/** A type of 4 bytes. */
type FieldType = 'u32' | 'f32';

/** Where the fields of a struct lie, in words of 4 bytes. */
export interface StructLayout<Name extends string> {
  readonly word: Readonly<Record<Name, number>>;
  /** Words of all fields; where an array ends the struct, its first word. */
  readonly words: number;
}

const FIELD = /^(\w+): (u32|f32|array<(?:u32|f32|vec4<u32>)>),$/;

/**
 * Reads the layout of a struct of u32 and f32 fields, with at most an array of no set length behind them. Throws Error when
 * its fields are not those that the host is going to pack: our own mistake.
 */
export function structLayout<Name extends string>(
  wgsl: string,
  name: string,
  packed: Readonly<Record<Name, FieldType>>,
): StructLayout<Name> {
  const body = new RegExp(`^struct ${name} \\{\\n([\\s\\S]*?)^\\}`, 'm').exec(wgsl)?.[1];
  if (body === undefined) throw new Error(`struct ${name}: not in the shader's text`);
  const lines = body.split('\n').map((line) => line.replace(/\/\/.*$/, '').trim());
  const word: Partial<Record<string, number>> = {};
  let words = 0;
  let ended = false;
  for (const line of lines.filter((text) => text !== '')) {
    const [, field, type] = FIELD.exec(line) ?? [];
    if (field === undefined || ended) throw new Error(`struct ${name}: cannot pack "${line}"`);
    ended = type!.startsWith('array');
    if (ended) words = type!.includes('vec4') ? Math.ceil(words / 4) * 4 : words;
    else if (packed[field as Name] === type) word[field] = words++;
    else throw new Error(`struct ${name}: ${field} is ${type}, packed as ${packed[field as Name]}`);
  }
  for (const field of Object.keys(packed)) {
    if (word[field] === undefined) throw new Error(`struct ${name} has no field ${field}`);
  }
  return { word: word as Record<Name, number>, words };
}
