// commandLines.ts: command lines in texts that people copy, and what of them a shell would take for patterns.

const COMMAND = /^(?:[A-Z_]+=\S+ )*(?:gqa|npm|npx|node|python3|git|eval|source)(?: |$)/;

/** Lines of `sh` blocks, and code in the text that is a command or the options of one. */
export function markdownCommands(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block]) =>
    block!.trim().split('\n'),
  );
  const prose = markdown.replaceAll(/^```.*?^```/gms, '');
  // In prose `[model]` is an argument that may be left out.
  const inline = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!.replaceAll(/ \[\w+\]/g, ''));
  return [...blocks, ...inline.filter((code) => COMMAND.test(code) || /^--?[a-z]/.test(code))];
}

/** Lines of a help text that are commands, wherever on the line they begin; a line that ends in `\` goes on. */
export function helpCommands(help: string): string[] {
  const lines = help.replaceAll(/ \\\n\s+/g, ' ').split('\n');
  const parts = lines.flatMap((line) => (line.startsWith(' ') ? line.trim().split(/ {2,}/) : []));
  return parts.filter((part) => COMMAND.test(part));
}

/** Texts in a source file that are commands. */
export function sourceCommands(source: string): string[] {
  const texts = [...source.matchAll(/'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`([^`]*)`/g)];
  return texts.map(([, a, b, c]) => (a ?? b ?? c)!).filter((text) => COMMAND.test(text));
}

/**
 * The words of a command line that a shell would expand, or refuse (zsh: "no matches found"), because a `*`, `?`, `[`, `{`,
 * `~` or `!` in them is not quoted. A home folder, `~/`, is meant to be expanded.
 */
export function unquotedPatterns(line: string): string[] {
  const bare = line
    .replace(/(^|\s)#.*/, '')
    .replaceAll(/\$\{[^}]*\}/g, '$x')
    .replaceAll(/\\./g, '_')
    .replaceAll(/'[^']*'/g, (quoted) => '_'.repeat(quoted.length))
    .replaceAll(/"[^"]*"/g, (quoted) => (quoted.includes('!') ? '!' : '_'.repeat(quoted.length)));
  return bare.split(/\s+/).filter((word) => /[*?[!]|\{[^{}\s]|(?:^|=)~(?!\/)/.test(word));
}
