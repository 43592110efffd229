import { Command } from 'commander';
import { registerDoctor } from '/work/main/src/cli/doctor.ts';
const p = new Command(); registerDoctor(p); await p.parseAsync(['node','gqa','doctor',...JSON.parse(process.env.ARGS??'[]')]);
