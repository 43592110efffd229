// storedSchema.ts: a result as a file holds it: perhaps of an older suite, which lacks what later ones have.
import { list, maybe, number, object, objectOrNull, text, type Read } from './fields.ts';
import { contextFields, hostContext, paramFields, rowFields, rowTimeFields, schema } from './schema.ts';

const storedContext = object({ ...contextFields, host: maybe(hostContext), coldBytes: maybe(number) });
export type StoredContext = Read<typeof storedContext>;

const storedParams = object({ ...paramFields, cache: maybe(paramFields.cache) });
export type StoredParams = Read<typeof storedParams>;

const storedRow = object({
  ...rowFields,
  params: storedParams,
  time: objectOrNull({ ...rowTimeFields, firstNs: maybe(number) }),
});
export type StoredRow = Read<typeof storedRow>;

export const storedResult = object({ schema, suite: text, context: storedContext, results: list(storedRow) });
export type StoredResult = Read<typeof storedResult>;
