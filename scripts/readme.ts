// readme.ts: `npm run readme`, makes the tables of README.md and docs/results.md anew: from the results that they name, or from a study.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeOutput } from '../src/files/outputFile.ts';
import { withIsa } from './isaTable.ts';
import { withPeers } from './peerTable.ts';
import { readIsaResults, readPeerResults, readResults, ROOT } from './resultFiles.ts';
import { withResults } from './readmeTable.ts';
import { runScript } from './runScript.ts';
import { withTypes } from './typesTable.ts';

await runScript(async () => {
  await remake('README.md', (text) => withResults(text, readResults()));
  await remake('docs/results.md', (text) => {
    const measured = withPeers(withResults(text, readResults()), readPeerResults());
    return withTypes(withIsa(measured, readIsaResults()));
  });
});

async function remake(file: string, make: (text: string) => string): Promise<void> {
  const path = join(ROOT, file);
  await writeOutput(path, [make(readFileSync(path, 'utf8'))]);
}
