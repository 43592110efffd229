// readme.ts: `npm run readme`, makes the README's tables anew: from the results that they name, or from a study.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeOutput } from '../src/files/outputFile.ts';
import { withPeers } from './peerTable.ts';
import { readPeerResults, readResults, ROOT } from './resultFiles.ts';
import { withResults } from './readmeTable.ts';
import { runScript } from './runScript.ts';
import { withTypes } from './typesTable.ts';

await runScript(async () => {
  const path = join(ROOT, 'README.md');
  const tables = withResults(readFileSync(path, 'utf8'), readResults());
  await writeOutput(path, [withTypes(withPeers(tables, readPeerResults()))]);
});
