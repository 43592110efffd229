// turnArgs.ts: what an append is given to turn and normalise its rows by, and queries to turn with them; checked against the cache.
import { checkRange, type BufferArg, type BufferRange } from '../device/buffers.ts';
import { ShapeError } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { checkWhole } from '../device/options.ts';
import type { AppendedRows } from '../kernels/appendLibs.ts';
import { checkApart, exactBytes, rowPlaces, type RowPlaces, type RowsOptions } from '../kernels/rowPlaces.ts';
import { MAX_HEADS } from '../kernels/shape.ts';
import { normWords, type QkNorm } from './qkNorm.ts';
import { checkRope, type Rope } from './rope.ts';

/** What becomes of K before it is stored, and of the queries of the same tokens, in the one dispatch of the append. */
export interface TurnArgs {
  /** Turns each row by its token's position, which is its place in the sequence. Default: rows are not turned. */
  readonly rope?: Rope;
  /** Normalises each row before that. Default: rows are not normalised. */
  readonly qkNorm?: QkNorm;
  /**
   * Queries of the same tokens, as many bytes as k has for its heads; another buffer than k and v. Rows of the tokens that a sequence
   * takes are normalised and turned where they lie, for a step to read; others stay. For an append with `rope` or `qkNorm`.
   * Default: none.
   */
  readonly q?: BufferArg;
  /** How rows of q are stored: heads are the Hq query heads, positions the new tokens. Default f32 [B, Hq, numTokens, D]. */
  readonly qRows?: RowsOptions;
  /** Hq, query heads of `q`, 1 to 1024; a multiple of Hkv. Default: 0, for none. */
  readonly numQHeads?: number;
}

/** The fields of TurnArgs. */
export const TURN_ARGS = { rope: true, qkNorm: true, q: true, qRows: true, numQHeads: true } as const;

/** What was given, found to fit. */
export interface CheckedTurns {
  /** The kernel to append by. */
  readonly before: AppendedRows & { readonly numQHeads: number };
  readonly ranges: Readonly<Partial<Record<'q' | 'turns', BufferRange>>>;
  /** Where rows of q lie. */
  readonly places?: RowPlaces;
  /** Contents of the binding `norms`. */
  readonly norms?: Uint32Array<ArrayBuffer>;
}

interface Rows {
  readonly batch: number;
  readonly capacity: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly numTokens: number;
}

/** Throws ShapeError, ForeignDeviceError and DestroyedError, with `where` in front, for what does not fit such rows. */
export function checkTurns(where: string, device: GqaDevice, args: TurnArgs, rows: Rows): CheckedTurns {
  const { rope, qkNorm, q } = args;
  const { headDim } = rows;
  const numQHeads = checkQueryHeads(where, args, rows);
  const axes = { batch: rows.batch, heads: numQHeads, qLen: rows.numTokens };
  const places = rowPlaces(`${where}: qRows`, args.qRows ?? {}, axes, headDim);
  if (q !== undefined) checkApart(`${where}: qRows`, places, axes);
  const range = q !== undefined && {
    q: checkRange(device, `${where}: q`, q, exactBytes(places, axes)),
  };
  if (rope !== undefined) checkRope(`${where}: rope`, rope, device, rows);
  const norms = qkNorm !== undefined && normWords(`${where}: qkNorm`, qkNorm, headDim, numQHeads > 0);
  return {
    before: { ...(rope && { rope }), norm: qkNorm !== undefined, numQHeads },
    ranges: { ...range, ...(rope && { turns: rope.range() }) },
    ...(q !== undefined && { places }),
    ...(norms && { norms }),
  };
}

function checkQueryHeads(
  where: string,
  { rope, qkNorm, q, numQHeads }: TurnArgs,
  { numKvHeads }: Rows,
): number {
  if (q === undefined && numQHeads === undefined) return 0;
  if (q === undefined)
    throw new ShapeError(`${where}: q: expected a buffer, as there is numQHeads, got none`);
  checkWhole(`${where}: numQHeads`, numQHeads!, 1, MAX_HEADS);
  if (numQHeads! % numKvHeads !== 0) {
    throw new ShapeError(
      `${where}: numQHeads (${numQHeads}) must be a multiple of the layer's KV heads (${numKvHeads})`,
    );
  }
  if (rope || qkNorm) return numQHeads!;
  throw new ShapeError(`${where}: q: expected a rope or a qkNorm for it, got neither`);
}
