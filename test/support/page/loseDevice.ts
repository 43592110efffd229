// loseDevice.ts: loses the device of a job of the page, at a moment that the test chooses.

/** To put before the scripts of the page: in a worker the device is destroyed once it has posted a message of which `when`, an expression, is true. */
export function losingWhen(when: string): (text: string) => string {
  return (text) => `{
  const ask = GPUAdapter.prototype.requestDevice;
  let device;
  GPUAdapter.prototype.requestDevice = async function (...args) {
    return (device = await ask.apply(this, args));
  };
  const post = globalThis.postMessage;
  globalThis.postMessage = (message) => {
    post.call(globalThis, message);
    if (${when}) device.destroy();
  };
}
${text}`;
}
