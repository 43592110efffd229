// convertProgress.ts: how far a conversion is, as one line.
import { formatBytes } from '../../bench/text/format.ts';
import type { Progress as ShardProgress } from '../../src/checkpoint/convert/disk/job.ts';
import type { Progress } from '../../src/node/command/progress.ts';

const INTERVAL_MS = 100;

/** Shows share, shard, bytes and speed, a few times a second. */
export function progressLine(
  line: Progress,
  now = () => performance.now(),
): (progress: ShardProgress) => void {
  const start = now();
  let shown = -Infinity;
  return ({ shard, done, total }) => {
    const ms = now();
    if (ms - shown < INTERVAL_MS && done < total) return;
    shown = ms;
    const speed = ms > start ? `, ${formatBytes(Math.round((1000 * done) / (ms - start)))}/s` : '';
    const text = `${shard}: ${formatBytes(done)} of ${formatBytes(total)}${speed}`;
    // The disk is still to be waited for, and the small files and the name are to come.
    line.show(done < total ? text : `${text}, finishing`, done / total);
  };
}
