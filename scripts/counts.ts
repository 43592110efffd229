// counts.ts: prints what a round of the registers kernel costs for groups of a model's sizes; needs no device.
import { countsTable } from '../bench/studies/counts.ts';
import { runScript } from './runScript.ts';

await runScript(() => process.stdout.write(`${countsTable()}\n`));
