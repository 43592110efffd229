// noBrowser.ts: whether there is a screen that a browser could be opened on.
import { hostname } from 'node:os';

/** Why no browser is opened for an address, in words that say what to do; undefined where one can be. */
export function noBrowser(
  address: URL,
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  if (env['CI']) return 'this is a CI system (CI is set)';
  if (env['SSH_CONNECTION'] || env['SSH_TTY']) {
    const { port } = address;
    const tunnel = `ssh -L ${port}:127.0.0.1:${port} ${hostname()}`;
    return `this is a remote shell; run ${tunnel} on your own machine and open the address there`;
  }
  const hasScreen = env['DISPLAY'] || env['WAYLAND_DISPLAY'] || env['WSL_DISTRO_NAME'];
  if (platform === 'linux' && !hasScreen) return 'there is no display; open the address where there is one';
  return undefined;
}
