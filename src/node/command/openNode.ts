// openNode.ts: the adapter options of commands that need a GPU, and opening a device by them.
import { Option } from 'commander';
import { fullDescriptor } from '../../device/deviceRequest.ts';
import { type GqaDevice, openDevice } from '../../device/gqaDevice.ts';
import { nodeGpu } from '../nodeGpu.ts';
import type { NodeGpu } from '../adapters.ts';
import { taking } from './completionValues.ts';

/** What `adapterOptions` parse to. */
export interface AdapterOptions {
  readonly adapter?: string;
  readonly requireGpu?: true;
}

/** The options `--adapter NAME` and `--require-gpu`, to add to a command. */
export function adapterOptions(): Option[] {
  return [
    taking(
      new Option(
        '--adapter <name>',
        "part of an adapter's name, or swiftshader for the embedded software one",
      ),
      { words: ['swiftshader'] },
    ),
    new Option('--require-gpu', 'refuse software adapters'),
  ];
}

/** A device and how its adapter was found. Who opens it destroys the device. */
export interface NodeDevice {
  readonly found: NodeGpu;
  readonly device: GqaDevice;
}

/**
 * Opens a device, by default with all that the adapter has and the kernels can use. What a person should know of the choice (that
 * it is a software adapter, say) goes to `warn`, by default stderr, one line each. Throws NoAdapterError.
 */
export async function openNode(
  { adapter, requireGpu }: AdapterOptions,
  warn: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
  descriptor: (adapter: GPUAdapter) => GPUDeviceDescriptor = fullDescriptor,
): Promise<NodeDevice> {
  const found = await nodeGpu({
    requireGpu: requireGpu === true,
    ...(adapter !== undefined && { adapter }),
  });
  for (const note of found.notes) warn(`warning  ${note}`);
  return { found, device: await openDevice(found.gpu, { descriptor }) };
}
