// readme.ts: `npm run readme`, makes the README's tables anew: from the results that they name, or from a study.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withPeers } from './peerTable.ts';
import { readPeerResults, readResults, ROOT } from './resultFiles.ts';
import { withResults } from './readmeTable.ts';
import { runScript } from './runScript.ts';
import { withTypes } from './typesTable.ts';

await runScript(() => {
  const path = join(ROOT, 'README.md');
  const tables = withResults(readFileSync(path, 'utf8'), readResults());
  writeFileSync(path, withTypes(withPeers(tables, readPeerResults())));
});
