// peer.ts: the peer whose kernels are compiled beside ours: onnxruntime-web, if it is installed, and the step of it.
import type { PeerType } from '../../peers/inputs.ts';
import { caseId, type IsaCases, type IsaShape } from '../cases.ts';

export const PEER_PACKAGE = 'onnxruntime-web';

/** Heads are values to its shaders, not part of their text: one shape stands for all of a head dim. */
export const PEER_SHAPE: IsaShape = { heads: 32, kvHeads: 8, headDim: 128 };

const TYPES: readonly PeerType[] = ['f32', 'f16'];

/** As onnxruntime calls the kernel that walks the cache. */
export const PEER_ATTENTION = 'FlashAttentionDecodeQKV';

/** What its decode step comes to, besides the copy of the new token. */
export const PEER_KERNELS: readonly string[] = [PEER_ATTENTION, 'FlashAttentionDecodeVxReduce'];

/** What a run compiles of the peer. */
export interface Peer {
  /** Package and version. */
  readonly engine: string;
  readonly types: readonly PeerType[];
}

/** Cache types of the peer's step that stand beside a case of ours; none where the run has no such case. */
export function peerTypes({ shapes, types, qLens, kernels }: IsaCases): PeerType[] {
  const { heads, kvHeads, headDim } = PEER_SHAPE;
  const among = shapes.some(
    (shape) => shape.heads === heads && shape.kvHeads === kvHeads && shape.headDim === headDim,
  );
  return among && qLens.includes(1) && kernels.includes('auto')
    ? TYPES.filter((type) => types.includes(type))
    : [];
}

/** The peer, or undefined where nothing of it is to be compiled or its package has no version, being not installed; the latter is noted. */
export function installedPeer(
  types: readonly PeerType[],
  version: string | undefined,
  note: (line: string) => void,
): Peer | undefined {
  if (types.length === 0) return undefined;
  if (version !== undefined) return { engine: `${PEER_PACKAGE} ${version}`, types };
  note(
    `${PEER_PACKAGE} is not installed: the result has no kernels of a peer; npm ci --ignore-scripts --prefix bench/peers installs it (440 MB)`,
  );
  return undefined;
}

/** The case of ours that the peer's step stands beside. */
export function peerCase(type: PeerType): string {
  return caseId({ ...PEER_SHAPE, type, qLen: 1, kernel: 'auto' });
}
