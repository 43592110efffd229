// endedEarly.ts: what a run that ends before its last row says of itself: its finished rows are a result all the same.
import { GqaError, messageOf } from '../../src/device/errors.ts';
import type { GqaDevice } from '../../src/index.ts';
import type { BenchResult, PartialRun, Warning } from '../schema/schema.ts';

/** The error's own code; `unexpected` for one that is not ours. */
export function codeOf(error: unknown): string {
  return error instanceof GqaError ? error.code : 'unexpected';
}

/** The fields of a context that say why rows are missing; none for a run that came to its end. */
export function partialFields(
  partial: PartialRun | undefined,
  finished: number,
): { partial?: PartialRun; warnings: Warning[] } {
  if (!partial) return { warnings: [] };
  const text = `partial: ${finished} of ${partial.rows} rows; ${partial.reason}`;
  return { partial, warnings: [{ code: 'partial', text }] };
}

/** Why a run of so many rows has ended with an error, or with the abort that its signal names. */
export function partialOf(error: unknown, rows: number): PartialRun {
  return { code: codeOf(error), reason: messageOf(error), rows };
}

/** A result that was given while the run went on, as the last one of a run that an error has ended. */
export function withPartial({ context, ...rest }: BenchResult, error: unknown): BenchResult {
  const rows = context.partial?.rows ?? rest.results.length;
  const { partial, warnings } = partialFields(partialOf(error, rows), rest.results.length);
  const others = context.warnings.filter(({ code }) => code !== 'partial');
  return {
    ...rest,
    context: { ...context, ...(partial && { partial }), warnings: [...warnings, ...others] },
  };
}

/** A lost device makes other calls fail first, with worse messages: its own error, which is then on its way; else the error. */
export async function lossOr(device: GqaDevice | undefined, error: unknown): Promise<unknown> {
  const soon = new Promise<undefined>((resolve) => setTimeout(resolve, 300));
  return (await Promise.race([device?.lost, soon])) ?? error;
}
