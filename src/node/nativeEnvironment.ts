// nativeEnvironment.ts: variables of the environment set for native code too: Bun keeps what a program sets to itself (oven-sh/bun#42891).
import { runtimeOf } from './runtime.ts';

/** Sets a variable, or removes it when there is no value. */
export type SetVariable = (name: string, value: string | undefined) => void;

/** For this program and, in Node and Deno, for the libraries that it has loaded. */
export const setVariable: SetVariable = (name, value) => {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
};

/** `setVariable` for the loaded libraries too, whatever the runtime. Linux with glibc only. */
export async function nativeSetter(): Promise<SetVariable> {
  if (runtimeOf().kind !== 'bun') return setVariable;
  const libc = await openLibc();
  const text = (value: string) => new TextEncoder().encode(`${value}\0`);
  return (name, value) => {
    setVariable(name, value);
    if (value === undefined) libc.unsetenv(text(name));
    else libc.setenv(text(name), text(value), 1);
  };
}

/** Of libc's functions those that are called here; texts end with a zero. */
interface Libc {
  readonly setenv: (name: Uint8Array, value: Uint8Array, overwrite: number) => number;
  readonly unsetenv: (name: Uint8Array) => number;
}

interface BunFfi {
  readonly dlopen: (file: string, functions: object) => { readonly symbols: Libc };
}

// Not a literal, and with the words for webpack and Vite: no bundler knows this module.
const BUN_FFI: string = 'bun:ffi';

async function openLibc(): Promise<Libc> {
  const { dlopen } = (await import(/* webpackIgnore: true */ /* @vite-ignore */ BUN_FFI)) as BunFfi;
  return dlopen('libc.so.6', {
    setenv: { args: ['cstring', 'cstring', 'i32'], returns: 'i32' },
    unsetenv: { args: ['cstring'], returns: 'i32' },
  }).symbols;
}
