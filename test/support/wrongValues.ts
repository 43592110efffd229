// wrongValues.ts: calls whose arguments, and all fields of them, are replaced one by one by everything that they are not.
import { describe, expect, test } from 'vitest';
import { describe as describeValue } from '../../src/device/options.ts';
import { GqaError } from '../../src/index.ts';

/** The right arguments of a call, made anew for each. */
export interface Call {
  readonly call: (...args: never[]) => unknown;
  readonly args: () => readonly unknown[];
  /** What is right beside what `args` gives: an argument's number, or a field of it, as `1.smScale`. */
  readonly also?: Readonly<Record<string, readonly unknown[]>>;
}

export type Calls = Readonly<Record<string, Call>>;

export const EMPTY = {};
export const LIST: readonly unknown[] = [];
export const MAP = new Map();
export const PROMISE = Promise.resolve(1);
export const nothing = () => {};

const WRONG = [
  undefined,
  null,
  NaN,
  -1,
  1.5,
  'x',
  '',
  true,
  EMPTY,
  LIST,
  nothing,
  1n,
  Symbol('s'),
  MAP,
  PROMISE,
];

/** What a call throws or rejects with; undefined when it does neither. */
async function thrownBy(act: () => unknown): Promise<unknown> {
  try {
    await act();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Is it options, or data of the caller's? What the library gave is not taken apart: it is checked for what is read of it. */
export type IsOpen = (value: object) => boolean;

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

/** All places of a call where a value can be put: its arguments, and what plain objects and arrays among them hold. */
function placesOf({ args }: Call, isOpen: IsOpen): string[] {
  const inside = (value: unknown, place: string): string[] => [
    place,
    ...(isPlain(value) && isOpen(value)
      ? Object.entries(value).flatMap(([field, held]) => inside(held, `${place}.${field}`))
      : []),
  ];
  return args().flatMap((arg, i) => inside(arg, String(i)));
}

function replaced(holder: unknown, path: readonly string[], value: unknown): unknown {
  const [field, ...rest] = path;
  if (field === undefined) return value;
  const copy = (Array.isArray(holder) ? [...holder] : { ...(holder as object) }) as Record<string, unknown>;
  copy[field] = replaced(copy[field], rest, value);
  return copy;
}

/** How errors say what was expected and what was given. */
const SAYS = /expected .*got |must be one of .*got |there is no option /s;

/** Tests that each call takes what is right and refuses all else with an error that says what was expected and given. */
export function testCalls(calls: Calls, isOpen: IsOpen = () => true, says = SAYS): void {
  describe.each(Object.entries(calls))('%s', (_, call) => {
    test('takes what is right', async () => {
      expect(await thrownBy(() => call.call(...(call.args() as never[])))).toBeUndefined();
    });

    test('takes nothing else, and says what was expected and given', async () => {
      const wrong: string[] = [];
      for (const place of placesOf(call, isOpen)) {
        for (const value of WRONG) {
          if (call.also?.[place]?.includes(value)) continue;
          const args = replaced(call.args(), place.split('.'), value) as never[];
          const error = await thrownBy(() => call.call(...args));
          if (error instanceof GqaError && says.test(error.message)) continue;
          wrong.push(`${place} = ${describeValue(value)}: ${String(error)}`);
        }
      }
      expect(wrong).toEqual([]);
    });
  });
}

const isClass = (value: unknown) => /^class\b/.test(String(value));

/** The names of an entry's functions, without its classes. */
export function functionsOf(entry: object): string[] {
  const found = Object.entries(entry).filter(([, value]) => typeof value === 'function' && !isClass(value));
  return found.map(([name]) => name).toSorted();
}

/** The names of the methods of an entry's classes but for errors, `Class.method`. */
export function methodsOf(entry: object): string[] {
  const methods = Object.values(entry).flatMap((value: unknown) => {
    if (!isClass(value) || (value as { prototype: unknown }).prototype instanceof Error) return [];
    const { name, prototype } = value as { name: string; prototype: object };
    return Object.getOwnPropertyNames(prototype).map((method) => `${name}.${method}`);
  });
  return methods.filter((name) => !name.endsWith('.constructor')).toSorted();
}
