// gpu.browser.ts: WebGPU for tests that run in a browser.

/** The browser's GPU object. Throws when it has none or offers no adapter. */
export async function openGpu(): Promise<GPU> {
  if (!navigator.gpu) {
    throw new Error(
      'openGpu: this browser has no navigator.gpu; WebGPU needs Chromium 113 or later and a secure page',
    );
  }
  if (!(await navigator.gpu.requestAdapter())) {
    throw new Error(
      'openGpu: the browser offers no adapter; a software one needs the flag --enable-unsafe-webgpu',
    );
  }
  return navigator.gpu;
}
