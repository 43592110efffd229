// browser.ts: what the browser tells of itself and of its GPU.

/** What the device cards and the defaults need to know before a run; no device is opened for it. */
export type Gpu =
  | { readonly kind: 'none'; readonly why: 'insecure' | 'no-webgpu' | 'no-adapter' }
  | { readonly kind: 'adapter'; readonly adapter: GPUAdapter };

/** A browser whose GPU process has only just begun may say at first that there is none. */
const STARTING_MS = 500;

/** Looks for the adapter that a run would take. */
export async function findGpu(): Promise<Gpu> {
  if (!globalThis.isSecureContext) return { kind: 'none', why: 'insecure' };
  // Older browsers lack what the type calls always present.
  const gpu = navigator.gpu as GPU | undefined;
  if (!gpu) return { kind: 'none', why: 'no-webgpu' };
  const ask = () => gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  const adapter = (await ask()) ?? (await later(STARTING_MS).then(ask));
  return adapter ? { kind: 'adapter', adapter } : { kind: 'none', why: 'no-adapter' };
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const BROWSERS: readonly (readonly [kind: string, version: RegExp])[] = [
  ['edge', /Edg(?:e|A|iOS)?\/([\d.]+)/],
  ['firefox', /Firefox\/([\d.]+)/],
  ['chrome', /(?:HeadlessChrome|Chrome|Chromium)\/([\d.]+)/],
  ['safari', /Version\/([\d.]+).*Safari\//],
];

/** Name and version of a browser by its user agent string: Edge calls itself Chrome too, and Chrome Safari. */
export function describeBrowser(userAgent: string): { kind: string; version: string } {
  for (const [kind, version] of BROWSERS) {
    const found = version.exec(userAgent);
    if (found) return { kind, version: found[1]! };
  }
  return { kind: 'browser', version: 'unknown' };
}

/** What Chromium, and no other browser, tells beside the user agent string, whose version it leaves out all but the first number of. */
interface UserAgentData {
  getHighEntropyValues(hints: readonly string[]): Promise<{
    readonly fullVersionList?: readonly { readonly brand: string; readonly version: string }[];
  }>;
}

/** As `describeBrowser`, with the whole version where the browser tells it. */
export async function exactBrowser(
  navigator: Pick<Navigator, 'userAgent'> & { readonly userAgentData?: UserAgentData },
): Promise<{ kind: string; version: string }> {
  const known = describeBrowser(navigator.userAgent);
  const brand = known.kind === 'edge' ? /Edge/ : /Chrom/;
  const told = await navigator.userAgentData
    ?.getHighEntropyValues(['fullVersionList'])
    .catch(() => undefined);
  const found = told?.fullVersionList?.find((each) => brand.test(each.brand));
  return found ? { ...known, version: found.version } : known;
}
