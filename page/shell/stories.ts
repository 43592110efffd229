// stories.ts: the project's own checkpoint, which comes with the page: a small multi-head model of made-up stories, whose tokens are characters.
import { GqaError, messageOf } from '../../src/device/errors.ts';
import weights from '../../models/stories/model.safetensors?url';
import config from '../../models/stories/config.json?raw';
import tokenizer from '../../models/stories/tokenizer.json?raw';
import tokenizerConfig from '../../models/stories/tokenizer_config.json?raw';

/** Its files by name; the weights are fetched from where the page is. Throws GqaError where they are not there. */
export async function storiesFiles(): Promise<Readonly<Record<string, File>>> {
  const fetched = await fetch(weights).catch((cause: unknown) => {
    throw new GqaError('input', `the page's own model could not be fetched: ${messageOf(cause)}`, { cause });
  });
  if (!fetched.ok)
    throw new GqaError('input', `the page's own model could not be fetched: status ${fetched.status}`);
  const parts: Readonly<Record<string, BlobPart>> = {
    'config.json': config,
    'tokenizer.json': tokenizer,
    'tokenizer_config.json': tokenizerConfig,
    'model.safetensors': await fetched.blob(),
  };
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, new File([part], name)]));
}
