// order.node.test.ts: the order of the GQA paper's figure 4 on two software adapters, from a training of the tiny size; on one by the command.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { linesOf } from '../../../bench/reproduce/figures.ts';
import { reproduceOptions } from '../../../bench/reproduce/options.ts';
import { reproduce } from '../../../bench/reproduce/run.ts';
import { parseReproduceResult } from '../../../bench/schema/readResult.ts';
import type { ReproduceResult } from '../../../bench/schema/reproduceSchema.ts';
import { METHODS, type Method } from '../../../src/checkpoint/convert/plan.ts';
import { fullDescriptor } from '../../../src/device/deviceRequest.ts';
import { openDevice, type GqaDevice } from '../../../src/device/gqaDevice.ts';
import { nodeGpu } from '../../../src/node/nodeGpu.ts';
import { gqaMain } from '../../support/gqaMain.ts';

const folder = mkdtempSync(join(tmpdir(), 'gqa-order-'));
const opened: GqaDevice[] = [];
afterAll(() => {
  rmSync(folder, { recursive: true });
  opened.forEach((device) => device.destroy());
});

async function run(wanted: {
  readonly seeds: number[];
  readonly alphas: number[];
  readonly methods: Method[];
}): Promise<ReproduceResult> {
  const found = await nodeGpu();
  const device = await openDevice(found.gpu, { descriptor: fullDescriptor });
  opened.push(device);
  const options = reproduceOptions({ ...wanted, size: 'tiny', times: false }, device.facts);
  const context = { version: '0', runtime: { kind: 'node', version: '0' }, nonStandard: {} };
  return reproduce(device, options, { context, adapter: found.adapterName });
}

/** Of one seed, or the mean over several. */
function lossOf(result: ReproduceResult, kvHeads: number, method: Method, alpha: number): number {
  const line = linesOf(result).find((each) => each.kvHeads === kvHeads && each.method === method)!;
  return line.points.find((point) => point.alpha === alpha)!.mean;
}

/** The paper's: mean before first before random. */
function expectOrder(result: ReproduceResult): void {
  for (const kvHeads of [2, 1]) {
    const [mean, first, random] = (['mean', 'first', 'random'] as const).map((method) =>
      lossOf(result, kvHeads, method, 0.05),
    ) as [number, number, number];
    expect(first - mean, `${kvHeads} KV heads: ${mean}, ${first}`).toBeGreaterThan(0.03);
    expect(random - first, `${kvHeads} KV heads: ${first}, ${random}`).toBeGreaterThan(0.08);
  }
}

test('mean < first < random on the embedded adapter, by the command, which draws it', async () => {
  const charts = join(folder, 'new', 'charts');
  const args = '--size tiny --seeds 1 --alphas 0.05 --methods mean,first,random --no-times -o json'.split(
    ' ',
  );
  const { out, err, code } = await gqaMain(
    'reproduce',
    '--adapter',
    'swiftshader',
    ...args,
    '--charts',
    charts,
  );
  expect(code, err).toBeUndefined();
  const result = parseReproduceResult(out, 'stdout');
  expectOrder(result);
  expect(readdirSync(charts).toSorted()).toEqual(['figure4.svg', 'figure5.svg']);
  for (const file of readdirSync(charts)) {
    expect(err).toContain(`${join(charts, file)}\n`);
    const svg = readFileSync(join(charts, file), 'utf8');
    expect(svg).toContain(`1 seed; on ${result.context.adapter}, software`);
  }
}, 300_000);

test("mean < first < random on the system's adapter, and pca and aligned no worse than mean", async () => {
  const result = await run({ seeds: [1], alphas: [0.05], methods: [...METHODS] });
  expectOrder(result);
  for (const method of ['pca', 'aligned'] as const) {
    for (const kvHeads of [2, 1]) {
      const mean = lossOf(result, kvHeads, 'mean', 0.05);
      expect(lossOf(result, kvHeads, method, 0.05), `${method}, ${kvHeads} KV heads`).toBeLessThan(mean);
    }
  }
}, 300_000);
