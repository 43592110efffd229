// generate.mjs: a checkpoint writes text: a generation loop, with each token as it comes.
//
//   node examples/generate.mjs ["The cat"] [folder]     or: deno run -A, bun; needs npm install @huggingface/tokenizers
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Tokenizer } from '@huggingface/tokenizers';
import { openDevice } from 'gqa-webgpu';
import { openModel } from 'gqa-webgpu/checkpoint'; // in a browser: openModelFiles of gqa-webgpu/models, which takes Blobs
import { loadModel } from 'gqa-webgpu/models';
import { gpu } from './gpu.mjs';

// The package has a checkpoint of 183 kB that it trained itself; yours is any folder in Hugging Face's form, with safetensors.
const stories = fileURLToPath(new URL('models/stories', import.meta.resolve('gqa-webgpu/package.json')));
const [prompt = 'The ', folder = stories] = process.argv.slice(2);
const maxTokens = 100;
const json = async (/** @type {string} */ name) => JSON.parse(await readFile(`${folder}/${name}`, 'utf8'));
const tokenizer = new Tokenizer(await json('tokenizer.json'), await json('tokenizer_config.json'));

const device = await openDevice(gpu);
const source = await openModel(folder);
const model = await loadModel(device, source); // { weightType: 'int8' } takes a quarter of f32's memory
await source.close();

// Lists, for a context may have several sequences side by side; this one has one. A character may be several tokens, so the whole
// text is decoded each time, and shown as far as it is certain: half a character decodes to U+FFFD.
const tokens = [...tokenizer.encode(prompt).ids];
const context = await model.createContext({ capacity: tokens.length + maxTokens });
let shown = '';
for await (const [token] of context.generate([tokens], { maxTokens })) {
  if (token === undefined) break;
  tokens.push(token);
  const text = tokenizer.decode(tokens, { skip_special_tokens: true });
  if (text.endsWith('\ufffd')) continue;
  process.stdout.write(text.slice(shown.length));
  shown = text;
}
process.stdout.write('\n');
device.destroy(); // and the model and the context with it
