// doctor.ts: `gqa doctor`, what adapter this machine gives and what is missing.
import type { Command } from 'commander';
import type { NodeGpuOptions } from '../../src/node/nodeGpu.ts';
import { type DoctorFacts, gatherFacts } from '../../src/node/doctor/doctorFacts.ts';
import { checkLines, checksOf, factsMarkdown } from './doctorReport.ts';
import { adapterOptions, type AdapterOptions } from '../../src/node/command/openNode.ts';
import { formatOption } from '../../src/node/command/options.ts';
import { EXIT } from '../../src/node/command/usage.ts';

interface DoctorOptions extends AdapterOptions {
  readonly output: 'md' | 'json';
}

/**
 * Adds the `doctor` command to the program. The report goes to the program's `writeOut`. The process's exit code: 0 when
 * an adapter works, 3 when there is none, 1 when it computes wrong numbers.
 */
export function registerDoctor(program: Command): void {
  const doctor = program
    .command('doctor')
    .description('what adapter this machine gives, what is missing, and how to fix it')
    .action(async (options: DoctorOptions) => {
      const facts = await gatherFacts(gpuOptions(options));
      doctor.configureOutput().writeOut?.(`${reportOf(facts, options.output)}\n`);
      process.exitCode = exitCode(facts);
    });
  for (const option of [...adapterOptions(), formatOption()]) doctor.addOption(option);
}

function gpuOptions({ adapter, requireGpu }: DoctorOptions): NodeGpuOptions {
  return { requireGpu: requireGpu === true, ...(adapter !== undefined && { adapter }) };
}

function reportOf(facts: DoctorFacts, format: 'md' | 'json'): string {
  const checks = checksOf(facts);
  if (format === 'json') return JSON.stringify({ checks, ...facts }, null, 2);
  return `${checkLines(checks)}\n\nFor a bug report:\n\n${factsMarkdown(facts)}`;
}

/** See `registerDoctor`. */
export function exitCode({ chosen }: DoctorFacts): number {
  if (!chosen) return EXIT.noAdapter;
  return chosen.computesRight ? EXIT.ok : EXIT.failure;
}
