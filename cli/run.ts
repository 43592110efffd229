// run.ts: the command's entry: importing it runs `gqa` with the process's arguments.
import { main } from './main.ts';

// Awaited here and not by the importer: Vite's module runner closes when the import is done, and with it every later import.
await main(process.argv.slice(2));
