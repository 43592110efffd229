// headFields.ts: the fields of a config.json that say how many KV heads there are: their names, and what turns them off.
import type { Fields } from './configFields.ts';
import { rulesOf } from './families/index.ts';

/** Names for the number of KV heads that nothing turns off. */
export const KV_HEADS: readonly string[] = ['num_key_value_heads', 'n_kv_head', 'n_kv_heads'];

/** Names that a flag turns off where it is false: ChatGLM writes a group count of 1 beside multi_query_attention: false. */
export const KV_GROUPS: readonly { readonly field: string; readonly flag: string }[] = [
  { field: 'multi_query_group_num', flag: 'multi_query_attention' },
  { field: 'num_query_groups', flag: 'group_query_attention' },
];

/** Falcon's names. Its first architecture does not read the number when `multi_query` is set. */
export const FALCON_KV_HEADS: readonly string[] = ['num_kv_heads', 'n_head_kv'];

/** The name in a nested `attn_config`, as of DBRX and MPT. */
export const ATTN_CONFIG_KV_HEADS = 'kv_n_heads';

// Only beside a name that is read.
const COPIES = ['num_heads_kv'];

/** All names for the number of KV heads that mean it in any file. */
export const KV_HEAD_NAMES: readonly string[] = [
  ...KV_HEADS,
  ...FALCON_KV_HEADS,
  ...COPIES,
  ATTN_CONFIG_KV_HEADS,
  ...KV_GROUPS.map(({ field }) => field),
];

/** All names for the number of KV heads in files of a type. */
export function kvHeadNames(type: string): readonly string[] {
  const { kvHeadsField } = rulesOf(type);
  return kvHeadsField === undefined ? KV_HEAD_NAMES : [...KV_HEAD_NAMES, kvHeadsField];
}

/** Whether `multi_query` decides between one KV head and more: Falcon's second architecture ignores it. */
export function readsMultiQuery(fields: Fields): boolean {
  return fields['new_decoder_architecture'] !== true;
}

/** Whether the number under `name` is not read, by what other fields say. */
export function isIgnored(name: string, fields: Fields): boolean {
  if (FALCON_KV_HEADS.includes(name)) return fields['multi_query'] === true && readsMultiQuery(fields);
  return KV_GROUPS.some(({ field, flag }) => field === name && fields[flag] === false);
}
