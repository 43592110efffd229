// faultText.ts: errors in words of the page. No DOM.
import { formatBytes } from '../../bench/text/format.ts';
import { LimitExceededError, type GqaError } from '../../src/device/errors.ts';

/** An error's message, bytes in their units. */
export function faultText(error: GqaError): string {
  if (!(error instanceof LimitExceededError) || !error.limit.endsWith('Size')) return error.message;
  const { limit, needed, available } = error;
  return error.message.replace(
    `${limit} needed ${needed}, available ${available}`,
    `needs ${formatBytes(needed)} in one buffer, this adapter allows ${formatBytes(available)} (${limit})`,
  );
}
