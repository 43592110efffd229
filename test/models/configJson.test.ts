// configJson.test.ts: the text of config.json files that Python writes and JSON.parse refuses.
import { describe, expect, it } from 'vitest';
import { GqaError } from '../../src/device/errors.ts';
import { parseConfigJson, strictConfigJson } from '../../src/models/configJson.ts';

const read = (text: string) => parseConfigJson(text, 'm/config.json');

describe('parseConfigJson', () => {
  it('reads NaN, Infinity and a byte order mark, and leaves words inside strings alone', () => {
    expect(read('\uFEFF{"a": NaN, "b": [Infinity, -Infinity], "c": "NaN \\" -Infinity", "d": -1e3}')).toEqual(
      {
        a: NaN,
        b: [Infinity, -Infinity],
        c: 'NaN " -Infinity',
        d: -1000,
      },
    );
  });

  it.each(['{"a": nan}', '{"a": +Infinity}', '{"a": -NaN}', '{"a": Infinity1}', '{"a": 1,}', '', '\uFEFF'])(
    'refuses %j, which Python refuses too',
    (text) => {
      expect(() => read(text)).toThrow(GqaError);
      expect(() => read(text)).toThrow('m/config.json: expected a JSON file, got text that is not JSON: ');
    },
  );

  it('refuses a key that stands twice in one object, however it is written', () => {
    expect(() => read('{"a": {"k": 8}, "b": 1, "a" : 2}')).toThrow(
      'm/config.json: expected each field once in an object, got "a" twice',
    );
    expect(() => read('{"x": [{"k": 8, "\\u006b": 9}]}')).toThrow('got "k" twice');
    expect(read('{"k": "k", "x": {"k": ["k", "k"]}, "y": {"k": 1}}')).toMatchObject({ y: { k: 1 } });
  });
});

describe('strictConfigJson', () => {
  it.each(['\uFEFF{"a": NaN, "b": -Infinity, "c": "NaN"}', '{"a": [Infinity,NaN]}', '{}'])(
    'is JSON with every character in its place: %j',
    (text) => {
      const strict = strictConfigJson(text);
      expect(strict).toHaveLength(text.length);
      expect(() => void JSON.parse(strict)).not.toThrow();
      for (const mark of ['{', '"b"', '"NaN"', ']', '}'])
        expect(strict.indexOf(mark)).toBe(text.indexOf(mark));
    },
  );
});
