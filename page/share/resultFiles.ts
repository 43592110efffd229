// resultFiles.ts: results out of files that a reader dropped or chose, and what is wrong with those that are none. No DOM.
import { messageOf } from '../../src/device/errors.ts';
import { isRecord } from '../../src/device/options.ts';
import type { Side } from '../../bench/report/compare.ts';
import { parseComparable } from '../../bench/schema/readResult.ts';
import { SCHEMA, WHOLE_SCHEMA } from '../../bench/schema/version.ts';

/** More is no result, and would be read into memory whole. */
const MOST_BYTES = 64 * 2 ** 20;

/** The part of a `File` that is read. */
export type TextFile = Pick<File, 'name' | 'size' | 'text'>;

/** Results by the names of their files, in the files' order, and a sentence for each file that is none. */
export async function readResultFiles(
  files: readonly TextFile[],
): Promise<{ sides: Side[]; faults: string[] }> {
  const sides: Side[] = [];
  const faults: string[] = [];
  for (const file of files) {
    try {
      sides.push({ name: file.name, result: await resultIn(file) });
    } catch (error) {
      faults.push(`${messageOf(error)}.`);
    }
  }
  return { sides, faults };
}

async function resultIn(file: TextFile): Promise<Side['result']> {
  const { name, size } = file;
  if (size > MOST_BYTES) throw new Error(`${name}: expected a result, got ${Math.round(size / 2 ** 20)} MiB`);
  const content = await file.text();
  const fault = kindFault(content);
  if (fault !== undefined) throw new Error(`${name}: ${fault}`);
  return parseComparable(content, name);
}

/** What a file is if it is of another kind or of a later version; undefined where its fields have to tell. */
function kindFault(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'it is no JSON; expected a result of gqa bench or of this page';
  }
  const schema = isRecord(value) ? value['schema'] : undefined;
  if (typeof schema !== 'string') return 'it is no result of gqa bench or of this page';
  const known = [SCHEMA, WHOLE_SCHEMA];
  if (known.includes(schema)) return undefined;
  const [kind, version] = schema.split('/');
  const same = known.find((each) => each.startsWith(`${kind}/`));
  if (same !== undefined && Number(version) > Number(same.split('/')[1]))
    return `it was written by a newer version (${schema}); this page reads ${same}`;
  return `it is a result of another kind (${schema.slice(0, 40)}); expected one of gqa bench or of this page`;
}
