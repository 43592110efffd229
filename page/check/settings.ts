// settings.ts: what of a check stands in the page's address: the options of `gqa check`, behind the tab's name.
import type { CaseChoice } from '../../bench/check/cases.ts';
import { STANDARD_KERNELS } from '../../bench/check/check.ts';
import { DECODE_KERNELS, type DecodeKernel } from '../../src/decode/planContext.ts';
import { GqaError } from '../../src/index.ts';
import type { CheckRequest } from './protocol.ts';

/** How many of the grid's cases: those that suit the device, every fifth of them, or all. */
export const SCOPES = ['standard', 'quick', 'full'] as const;
export type Scope = (typeof SCOPES)[number];

export interface CheckSettings {
  readonly kernels: readonly DecodeKernel[];
  readonly scope: Scope;
  /** Part of the names of cases; empty for all. */
  readonly text: string;
}

const KERNEL = 'check-kernel';
const CASE = 'check-case';
const SCOPE_FLAGS = { quick: 'check-quick', full: 'check-full' } as const;

/** The names of its parameters. */
export const CHECK_PARAMS: readonly string[] = [KERNEL, CASE, ...Object.values(SCOPE_FLAGS)];

/** Throws GqaError unless a parameter may have this value. */
export function checkCheckParam(name: string, value: string): void {
  if (name === KERNEL) kernelsOf(value);
  else if (name !== CASE) flagOf(value);
}

/** The settings of an address, and what is wrong with it; the standard ones in place of that. */
export function readCheckSettings(query: string): CheckSettings & { readonly errors: readonly string[] } {
  const params = new URLSearchParams(query);
  const errors: string[] = [];
  const read = <T>(name: string, of: (value: string) => T, standard: T): T => {
    const value = params.get(name);
    if (value === null) return standard;
    try {
      return of(value);
    } catch (error) {
      if (!(error instanceof GqaError)) throw error;
      errors.push(`${name} ${error.message}`);
      return standard;
    }
  };
  const kernels = read(KERNEL, kernelsOf, STANDARD_KERNELS);
  const [quick, full] = [read(SCOPE_FLAGS.quick, flagOf, false), read(SCOPE_FLAGS.full, flagOf, false)];
  if (quick && full) errors.push(`${SCOPE_FLAGS.quick} and ${SCOPE_FLAGS.full} exclude each other`);
  return {
    kernels,
    scope: full ? 'full' : quick ? 'quick' : 'standard',
    text: params.get(CASE) ?? '',
    errors,
  };
}

/** The query of an address with these settings; what is standard is left out, and other parameters stay. */
export function withCheckSettings(query: string, { kernels, scope, text }: CheckSettings): string {
  const params = new URLSearchParams(query);
  for (const name of CHECK_PARAMS) params.delete(name);
  if (kernels.join() !== STANDARD_KERNELS.join()) params.set(KERNEL, kernels.join(','));
  if (scope !== 'standard') params.set(SCOPE_FLAGS[scope], '');
  if (text !== '') params.set(CASE, text);
  // As people write it: a parameter without a value has no "=".
  const written = params
    .toString()
    .replaceAll(/=(?=&|$)/g, '')
    .replaceAll('%2C', ',');
  return written === '' ? '' : `?${written}`;
}

/** What to ask the worker for. */
export function requestOf({ kernels, scope, text }: CheckSettings): CheckRequest {
  const choice: CaseChoice = {
    ...(scope !== 'standard' && { [scope]: true }),
    ...(text !== '' && { case: text }),
  };
  return { kernels, choice };
}

function kernelsOf(value: string): DecodeKernel[] {
  const names = value.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !DECODE_KERNELS.some((kernel) => kernel === name));
  if (unknown !== undefined)
    throw new GqaError('usage', `must be of ${DECODE_KERNELS.join(', ')}, got "${unknown}"`);
  return DECODE_KERNELS.filter((kernel) => names.includes(kernel));
}

function flagOf(value: string): boolean {
  if (!['', '1', 'true', '0', 'false'].includes(value))
    throw new GqaError('usage', `takes no value, 1 or 0, got "${value}"`);
  return value !== '0' && value !== 'false';
}
