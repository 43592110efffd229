// otherConfigs.ts: files beside config.json that say how many KV heads the model has, as those of other engines do.
import { isRecord } from '../../../device/options.ts';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KV_HEAD_NAMES } from '../../../models/headFields.ts';
import type { ConversionPlan } from '../plan.ts';
import type { ModelFolder } from './modelFolder.ts';

/** Larger files are vocabularies. */
const MAX_BYTES = 2 ** 20;

/**
 * Names of the files that are copied and give the source's number of KV heads, which is not the result's. What they
 * describe is not known here (weights in another form, another model), so they are named and not changed.
 */
export async function staleCounts(model: ModelFolder, plan: ConversionPlan): Promise<string[]> {
  const { numKvHeads } = plan.attention;
  if (plan.options.kvHeads === numKvHeads) return [];
  const small = model.others.filter(({ name, bytes }) => name.endsWith('.json') && bytes <= MAX_BYTES);
  const stale: string[] = [];
  for (const { name } of small) {
    if (saysCount(await readJson(join(model.path, name)), numKvHeads)) stale.push(name);
  }
  return stale;
}

/** Undefined for a file that is no JSON, which is copied all the same. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function saysCount(value: unknown, count: number): boolean {
  if (!isRecord(value)) return false;
  return Object.entries(value).some(
    ([key, inner]) => (KV_HEAD_NAMES.includes(key) && inner === count) || saysCount(inner, count),
  );
}
