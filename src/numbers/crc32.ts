// crc32.ts: the CRC-32 of bytes, as zip and PNG have it: finds every single changed byte.

/** Remainders of each byte, and of each followed by one, two or three zero bytes. */
const TABLES = makeTables();

function makeTables(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
    return rest;
  });
  const tables = [first];
  for (let i = 1; i < 4; i++) {
    tables.push(tables[i - 1]!.map((rest) => (rest >>> 8) ^ first[rest & 0xff]!));
  }
  return tables;
}

/** The checksum, 0 to 2^32 - 1. */
export function crc32(bytes: Uint8Array): number {
  const [one, two, three, four] = TABLES as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  let rest = 0xffffffff;
  let i = 0;
  for (const end = bytes.length - 3; i < end; i += 4) {
    rest ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    rest = four[rest & 0xff]! ^ three[(rest >>> 8) & 0xff]! ^ two[(rest >>> 16) & 0xff]! ^ one[rest >>> 24]!;
  }
  for (; i < bytes.length; i++) rest = (rest >>> 8) ^ one[(rest ^ bytes[i]!) & 0xff]!;
  return ~rest >>> 0;
}
