// checkAppend.ts: does a device store K and V as the host does, to the bit, and count what a type cannot hold?
import {
  createKvCache,
  DestroyedError,
  DeviceLostError,
  encodeRows,
  type GqaDevice,
  GqaError,
  KV_TYPES,
  type KvCache,
  type KvType,
  NotFiniteError,
  nothingLost,
  readBack,
  uploadStorage,
} from '../../src/index.ts';
import { normals } from '../../src/numbers/random.ts';

/** What came of appending to a cache of one element type: nothing wrong, or what. */
export interface AppendCheck {
  readonly type: KvType;
  readonly wrong?: string;
}

const SHAPE = { batch: 2, numKvHeads: 2, headDim: 64, capacity: 9 } as const;

/** Appends to an empty cache of each type. A lost or destroyed device ends it with that error. */
export async function checkAppends(device: GqaDevice): Promise<AppendCheck[]> {
  const checks: AppendCheck[] = [];
  for (const type of KV_TYPES) {
    try {
      const wrong = await wrongOf(device, type);
      checks.push({ type, ...(wrong !== undefined && { wrong }) });
    } catch (error) {
      if (!(error instanceof GqaError)) throw error;
      if (error instanceof DeviceLostError || error instanceof DestroyedError) throw error;
      checks.push({ type, wrong: error.message });
    }
  }
  return checks;
}

async function wrongOf(device: GqaDevice, type: KvType): Promise<string | undefined> {
  const [k, v] = [hardToStore(1), hardToStore(2)];
  const buffers = [uploadStorage(device, 'k', k), uploadStorage(device, 'v', v)] as const;
  const cache = await createKvCache(device, { ...SHAPE, kType: type });
  try {
    await cache.append({ k: buffers[0], v: buffers[1], numTokens: SHAPE.capacity });
    const wrong = (await difference(cache, 'k', k)) ?? (await difference(cache, 'v', v));
    await takeNotFinite(device);
    return wrong;
  } finally {
    for (const made of [cache, ...buffers]) made.destroy();
  }
}

/** NaN and infinity were appended on purpose: what the device says of them is nobody else's. */
async function takeNotFinite(device: GqaDevice): Promise<void> {
  await device.idle().catch((error: unknown) => {
    if (!(error instanceof NotFiniteError)) throw error;
  });
}

/** Compares what the cache holds and has counted with what the host makes of the values. */
async function difference(cache: KvCache, of: 'k' | 'v', values: Float32Array): Promise<string | undefined> {
  const lost = nothingLost();
  const wanted = encodeRows(cache.layout[of], values, lost);
  const got = new Uint8Array(await readBack(cache.device, cache.layers[0]![of]));
  const bytes = wanted.reduce((count, byte, i) => count + (byte === got[i] ? 0 : 1), 0);
  if (bytes > 0) return `${bytes} of ${wanted.length} bytes of ${of} are not those of the host`;
  const counted = (await cache.report())[of];
  const [said, right] = [JSON.stringify(counted), JSON.stringify(lost)];
  return said === right ? undefined : `counted ${said} in ${of}, the host ${right}`;
}

/** Rows of every size that f32 has; in some, what lies at the ends of the types, NaN and infinity. */
function hardToStore(seed: number): Float32Array<ArrayBuffer> {
  const { batch, numKvHeads, headDim, capacity } = SHAPE;
  const rows = batch * numKvHeads * capacity;
  const values = normals(seed, rows * headDim).map(
    (x, i) => x * 2 ** (7 * (Math.floor(i / headDim) - rows / 2)),
  );
  const ends = [65504, -65520, 2 ** -25, 3 * 2 ** -25, 2 ** -140, -0, 3.4e38, 3.3895e38];
  for (let row = 0; row < rows; row += 4) values.set(ends, row * headDim + row);
  values.set([NaN, Infinity, -Infinity], headDim * (rows / 2 + 1));
  return values;
}
