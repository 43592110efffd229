// crc32.test.ts: checksums that others computed, and that every changed byte shows.
import { expect, test } from 'vitest';
import { crc32 } from '../../src/numbers/crc32.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);

test.each([
  ['', 0],
  ['a', 0xe8b7be43],
  ['abc', 0x352441c2],
  ['123456789', 0xcbf43926], // the check value of CRC-32/ISO-HDLC
  ['The quick brown fox jumps over the lazy dog', 0x414fa339],
])('%j', (text, checksum) => expect(crc32(bytesOf(text))).toBe(checksum));

test('a view of part of a buffer is what it shows', () => {
  expect(crc32(bytesOf('xx123456789x').subarray(2, 11))).toBe(0xcbf43926);
});

test('any changed byte is another checksum', () => {
  const bytes = bytesOf('keys and values');
  const checksum = crc32(bytes);
  for (let i = 0; i < bytes.length; i++) {
    for (const change of [1, 0x80, 0xff]) {
      expect(crc32(bytes.map((byte, j) => (i === j ? byte ^ change : byte)))).not.toBe(checksum);
    }
  }
});
