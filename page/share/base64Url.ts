// base64Url.ts: bytes as letters, digits, - and _, and back. Browsers have it built in since 2025 only.

/** RFC 4648 section 5, without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  // One by one: a call has no room for as many arguments as bytes.
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Undefined for a text that is no such thing. */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[\w-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
