// counts.ts: prints what a round of the registers kernel costs for groups of a model's sizes; needs no device.
import { countsTable } from '../bench/counts.ts';

process.stdout.write(`${countsTable()}\n`);
