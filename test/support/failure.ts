// failure.ts: catches what a call throws or rejects with, for tests of typed errors.
import { expect } from 'vitest';
import type { GqaError } from '../../src/index.ts';

/**
 * The error `act` throws or rejects with. Fails when `act` succeeds, or when the error is of another class than `type`
 * (a subclass counts as another one).
 */
export async function failure<E extends GqaError>(
  type: new (...args: never[]) => E,
  act: () => unknown,
): Promise<E> {
  let error: unknown;
  try {
    await act();
  } catch (thrown) {
    error = thrown;
  }
  expect(error, `expected a ${type.name}, nothing was thrown`).toBeDefined();
  if (error instanceof type && error.constructor === type) return error;
  throw new Error(`expected a ${type.name}, got ${String(error)}`, { cause: error });
}

/** The message of the error of class `type` that `act` throws or rejects with. */
export async function message(type: new (...args: never[]) => GqaError, act: () => unknown): Promise<string> {
  return (await failure(type, act)).message;
}
