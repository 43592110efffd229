import { expect, test } from 'vitest';
import { randomProblem } from '/work/main/bench/problem.ts';
import { chooseSplitVariant, decodeSplit, splitGrid } from '/work/main/src/kernels/decodeSplit.ts';
import { checkShape } from '/work/main/src/kernels/shape.ts';
import { testDevice } from '/work/main/test/support/device.ts';
import { stepWords, cacheInputs } from '/work/main/test/support/runDecode.ts';
import { runKernel, unwritten } from '/work/main/test/support/runKernel.ts';
const device = await testDevice();
const facts = (software: boolean) => ({...device.facts, software, subgroups: true});
const edits: Record<string, (s: string) => string> = {
  base: s => s,
  opaqueD4: s => s.replace('for (var i = 0u; i < D4; i++) {\n    var k', 'let d4 = D4 + (step.num_splits >> 31u);\n for (var i = 0u; i < d4; i++) {\n    var k'),
  opaqueKey: s => s.replace('other < KEY_SETS', 'other < KEY_SETS + (step.num_splits >> 31u)'),
  opaqueWrite: s => s.replace('for (var r = 0u; r < MIX_ROWS; r++) {\n    set_o', 'let n = MIX_ROWS + (step.num_splits >> 31u);\n for (var r = 0u; r < n; r++) {\n    set_o'),
};
const which = (process.env.EDITS ?? Object.keys(edits).join()).split(',');
for (const sw of (process.env.SW ?? 'gpu').split(',')) for (const name of which)
  test(`${name}`, async () => {
    const p = randomProblem({batch: 3, numQHeads: Number(process.env.HQ ?? 8), numKvHeads: 2, headDim: Number(process.env.D ?? 64), kvLens: [1, 70, 130]});
    const shape = checkShape(p);
    const v = chooseSplitVariant(shape, facts(sw === 'sw'), 'workgroup');
    const k = decodeSplit(shape, p, v, 'partial');
    const source = edits[name]!(k.source); 
    if (name !== 'base') expect(source).not.toBe(k.source);
    const splits = {numSplits: 2, splitLen: 128};
    const run = () => runKernel(device, {kernel: {name: 'x', source}, grid: splitGrid(shape, v, 2), inputs: {q: p.q as any, ...cacheInputs(p)}, outputs: {partial_o: unwritten(shape.rows*2*shape.headDim), partial_ml: unwritten(shape.rows*4)}, step: stepWords(splits, p)});
    const t = performance.now(); const c = process.cpuUsage();
    await run();
    const u = process.cpuUsage(c);
    console.log('PROBE', sw, name, JSON.stringify(v), 'wall', (performance.now()-t).toFixed(0), 'cpu', ((u.user+u.system)/1000).toFixed(0));
  }, 200000);
