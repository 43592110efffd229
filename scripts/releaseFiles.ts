// releaseFiles.ts: what package.json and the README say in the registry and not here: where the repository is.
import { GqaError } from '../src/index.ts';

/** The package.json of a release. `url` is the repository's page. Throws GqaError when the tag is not of its version. */
export function releasedPackage(text: string, tag: string, url: string): string {
  const manifest = JSON.parse(text) as { readonly version: string };
  if (tag !== `v${manifest.version}`) {
    throw new GqaError('release', `tag: expected v${manifest.version}, as package.json says, got ${tag}`);
  }
  const places = {
    repository: { type: 'git', url: `git+${url}.git` },
    homepage: `${url}#readme`,
    bugs: `${url}/issues`,
  };
  return `${JSON.stringify({ ...manifest, ...places }, undefined, 2)}\n`;
}

/** The README of a release: its links to files and pictures of the repository lead to those of the tag. */
export function releasedReadme(text: string, tag: string, url: string): string {
  return text.replaceAll(
    /(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)]+)\)/g,
    (_, picture: string, words: string, path: string) =>
      `${picture}[${words}](${url}/${picture ? 'raw' : 'blob'}/${tag}/${path})`,
  );
}
