// errorLog.test.ts: many errors come out as one that tells of all, once.
import { describe, expect, test } from 'vitest';
import { ErrorLog } from '../../src/device/errorLog.ts';
import { GpuError } from '../../src/index.ts';

describe('ErrorLog', () => {
  test('one error is told as it is, with its cause, once', () => {
    const log = new ErrorLog();
    const cause = new Error('host');
    log.add('a buffer was destroyed', cause);
    const error = log.take();
    expect(error).toBeInstanceOf(GpuError);
    expect(error).toMatchObject({ message: 'a buffer was destroyed', code: 'gpu', cause });
    expect(log.take()).toBeUndefined();
  });

  test('several are told in one: the first, how many more, and each other once', () => {
    const log = new ErrorLog();
    for (const message of ['first', 'second', 'first', 'third', 'second']) log.add(message, message);
    expect(log.take()).toMatchObject({ message: 'first\nand 4 more\n  second\n  third', cause: 'first' });
  });

  test('a thousand equal ones are two words more', () => {
    const log = new ErrorLog();
    for (let i = 0; i < 1000; i++) log.add('refused');
    expect(log.take()!.message).toBe('refused\nand 999 more');
  });

  test('thousands of different ones do not fill the memory', () => {
    const log = new ErrorLog();
    for (let i = 0; i < 5000; i++) log.add(`error ${i}`);
    const { message } = log.take()!;
    expect(message).toMatch(/^error 0\nand 4999 more\n {2}error 1\n/);
    expect(message.length).toBeLessThan(200);
  });

  test('advice comes with every error, and is no error itself', () => {
    const log = new ErrorLog();
    log.advise('Call truncate().');
    log.advise('Call truncate().');
    expect(log.take()).toBeUndefined();
    log.add('refused');
    expect(log.take()!.message).toBe('refused\nCall truncate().');
    log.add('again');
    expect(log.take()!.message).toBe('again\nCall truncate().');
  });
});
