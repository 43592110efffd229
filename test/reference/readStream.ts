// readStream.ts: twin of shaders/probe/read_stream.wgsl: sums of words modulo 2^32.

/**
 * sums [groups, wgSize]: workgroup g reads vectors g * piece to (g + 1) * piece - 1 with piece = ceil(vectors / groups);
 * invocation i of it those whose place in the piece is i modulo wgSize. A vector is four words.
 */
export function readStream(words: Uint32Array, groups: number, wgSize: number): Uint32Array {
  const sums = new Uint32Array(groups * wgSize);
  const vectors = words.length / 4;
  const piece = Math.ceil(vectors / groups);
  for (let at = 0; at < vectors; at++) {
    const group = Math.floor(at / piece);
    const i = group * wgSize + ((at - group * piece) % wgSize);
    for (let lane = 0; lane < 4; lane++) sums[i] = (sums[i]! + words[at * 4 + lane]!) >>> 0;
  }
  return sums;
}
