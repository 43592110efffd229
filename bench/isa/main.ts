// main.ts: `npm run bench:isa`: what the compilers of four vendors' GPUs make of the default kernels.
import { interruptible } from '../../src/node/command/interrupt.ts';
import { reportError } from '../../src/node/command/reportError.ts';
import { checkOutputOption, writeOutputOption } from '../../src/node/command/outputOption.ts';
import { watchStandardStreams } from '../../src/node/command/standardStreams.ts';
import { parseFlags } from './options.ts';
import { isaJson, isaReport } from './report.ts';
import { compileAll } from './run.ts';

watchStandardStreams();
try {
  const flags = parseFlags(process.argv.slice(2));
  if (flags.exportJson) await checkOutputOption('--export-json', flags.exportJson);
  const note = (line: string) => void process.stderr.write(`${line}\n`);
  const result = await interruptible('ending the run, no result is written', (signal) =>
    compileAll(flags, { note, signal }),
  );
  process.stdout.write(flags.output === 'md' ? `${isaReport(result)}\n` : isaJson(result));
  if (flags.exportJson) await writeOutputOption('--export-json', flags.exportJson, isaJson(result));
} catch (error) {
  process.exitCode = reportError(error);
}
