// configUpdate.ts: config.json of the result: the source's text with other numbers in it.
import { findNodeAtLocation, parseTree, type Node } from 'jsonc-parser';
import { shapeFromConfig } from '../../models/config.ts';
import { parseConfigJson, strictConfigJson } from '../../models/configJson.ts';
import { readsMultiQuery } from '../../models/headFields.ts';
import type { ModelShape } from '../../models/presets.ts';
import { fail } from '../format/checkpointError.ts';
import { headFields, objectAt, type HeadField, type Path } from '../find/configHeads.ts';
import type { ConversionPlan } from './plan.ts';

/** New text for the characters [begin, end). */
interface Edit {
  readonly begin: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The text of config.json with the new number of KV heads wherever the old one stands, and the head dim written out
 * where it was only implied. All else stays as it is written: a number read and written again would lose its form, and
 * a strict loader refuses 30 where it expects 30.0. The result is read back: one that does not say what the plan says
 * is a CheckpointError. `where` is the source folder, for messages.
 */
export function updateConfig(text: string, plan: ConversionPlan, where: string): string {
  const { attention, options } = plan;
  const values = newValues(parseConfigJson(text, `${where}/config.json`), plan, where);
  // Words that only Python's JSON has are as long in this text, so its positions are those of the original.
  const tree = parseTree(strictConfigJson(text))!;
  const edits = values.map(([path, value]) => editOf(text, tree, path, JSON.stringify(value)));
  // From the end on, so that positions stay; of two at one place the first ends up in front.
  const updated = edits
    .toReversed()
    .toSorted((a, b) => b.begin - a.begin)
    .reduce((edited, { begin, end, text: by }) => edited.slice(0, begin) + by + edited.slice(end), text);
  checkConfig(updated, { ...attention.shape, numKvHeads: options.kvHeads }, `${where}/config.json`);
  return updated;
}

/** Throws a CheckpointError unless the text reads as a model of this shape. `where` names the file. */
export function checkConfig(text: string, expected: ModelShape, where: string): void {
  const read = shapeFromConfig(parseConfigJson(text, where), where);
  for (const name of ['numKvHeads', 'numQHeads', 'headDim', 'layers', 'hiddenSize'] as const) {
    if (read[name] === expected[name]) continue;
    fail(
      `${where}: with ${expected.numKvHeads} KV heads written to it, it reads as ${name} ${read[name]} where ${expected[name]} is expected; these fields cannot describe the result`,
    );
  }
}

/** What is changed and what is added, by path. */
function newValues(
  config: unknown,
  plan: ConversionPlan,
  where: string,
): (readonly [Path, number | boolean])[] {
  const { attention, options } = plan;
  const { format, headDim, inside: main } = attention;
  const fields = headFields(config, main, attention, where);
  const changed = fields.map(({ path, valueFor }) => [path, valueFor(options.kvHeads)] as const);
  const own = objectAt(config, main);
  const implied = own['head_dim'] === undefined || own['head_dim'] === null;
  return [
    ...changed,
    ...missingFields(fields, main, plan).map(([name, value]) => [[...main, name], value] as const),
    ...(implied && format.readsHeadDim ? [[[...main, 'head_dim'], headDim] as const] : []),
  ];
}

/** What no field says yet: the count, unless the flag of one KV head or all says it. */
function missingFields(
  fields: readonly HeadField[],
  main: Path,
  { attention: { format, numQHeads, config }, options: { kvHeads } }: ConversionPlan,
): (readonly [string, number | boolean])[] {
  // Of the model's own object, or of the attn_config inside it.
  const isOwn = (path: Path) =>
    path.length === main.length + 1 || (path.length === main.length + 2 && path.at(-2) === 'attn_config');
  const counted = fields.some(({ path, isCount }) => isCount && isOwn(path));
  const flagged = format.hasMultiQueryFlag && readsMultiQuery(config);
  const flagSays = flagged && (kvHeads === 1 || kvHeads === numQHeads);
  return [
    ...(counted || flagSays ? [] : [[format.kvHeadsField, kvHeads] as const]),
    ...(flagged && !('multi_query' in config) ? [['multi_query', kvHeads === 1] as const] : []),
  ];
}

/** Replaces a value, or adds a member behind the last one of its object, laid out as that one is. */
function editOf(text: string, tree: Node, path: Path, value: string): Edit {
  const node = findNodeAtLocation(tree, [...path]);
  if (node) return { begin: node.offset, end: node.offset + node.length, text: value };
  const object = findNodeAtLocation(tree, path.slice(0, -1))!;
  const last = object.children!.at(-1)!;
  const [, before] = /([ \t\r\n]*)$/.exec(text.slice(object.offset + 1, last.offset))!;
  const [name, content] = last.children!;
  const colon = text.slice(name!.offset + name!.length, content!.offset);
  const end = last.offset + last.length;
  return { begin: end, end, text: `,${before}${JSON.stringify(path.at(-1))}${colon}${value}` };
}
