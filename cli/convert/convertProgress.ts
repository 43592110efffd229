// convertProgress.ts: how far a conversion is, as one line.
import { formatBytes } from '../../bench/text/format.ts';
import type { Progress as ShardProgress } from '../../src/checkpoint/convert/disk/job.ts';
import type { Progress } from '../../src/node/command/progress.ts';

const WIDTH = 24;
const INTERVAL_MS = 100;

/** Shows bar, share, bytes and speed on stderr, a few times a second. */
export function progressLine(line: Progress): (progress: ShardProgress) => void {
  const start = performance.now();
  let shown = -Infinity;
  return ({ shard, done, total }) => {
    const now = performance.now();
    if (now - shown < INTERVAL_MS && done < total) return;
    shown = now;
    const filled = Math.round((WIDTH * done) / total);
    const bar = '#'.repeat(filled).padEnd(WIDTH, '.');
    const speed = formatBytes(Math.round(done / ((now - start) / 1000)));
    const percent = Math.floor((100 * done) / total);
    line.show(`${shard}: [${bar}] ${percent} %  ${formatBytes(done)} of ${formatBytes(total)}  ${speed}/s`);
  };
}
