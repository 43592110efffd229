// completions.ts: asks the shells themselves what they complete, with a script of `gqa completion`.
import { spawnSync } from 'node:child_process';

export type Shell = 'bash' | 'zsh' | 'fish';

/** Whether the shell is installed here. */
export function hasShell(shell: Shell): boolean {
  return spawnSync(shell, ['-c', 'exit 0']).status === 0;
}

/** Where the script lies, and the folder that paths are completed in. */
export interface Place {
  readonly script: string;
  readonly cwd: string;
}

/**
 * What the shell offers at the end of each line, sorted: words as the shell would pass them to gqa. An option in the same
 * word as its value is taken off: shells differ in whether they repeat it.
 */
export function completions(shell: Shell, place: Place, lines: readonly string[]): string[][] {
  const found = { bash: bashFound, zsh: zshFound, fish: fishFound }[shell](place, lines);
  return found.map((words) => words.map((word) => word.replace(/^--?[\w-]+=/, '')).toSorted());
}

/** What zsh lists below the line, as plain text. */
export function zshList(place: Place, line: string): string {
  return inZsh(place, '_complete', [line])[0]!;
}

// Every completed line is run; gqa prints its words, so that the shell's own quoting is taken off.
const SHOW = `gqa() { printf 'BE''GIN'; [ $# = 0 ] || printf '%s\\001' "$@"; printf 'E''ND\\n'; }`;

/** The words that were printed behind those that the line had before. */
function shown(output: string, line: string): string[] {
  const words = (/BEGIN(.*?)END/s.exec(output)?.[1] ?? '').split('\u0001').slice(0, -1);
  const [, ...typed] = line.split(' ');
  const found = words.slice(typed.length - 1);
  // A line with nothing to offer stays as it is.
  return found.join() === typed.at(-1) ? [] : found;
}

/** Readline inserts all it finds at "Escape *"; that works without a terminal. */
function bashFound({ script, cwd }: Place, lines: readonly string[]): string[][] {
  const input = ['PS1=', `source "${script}"`, SHOW, ...lines.map((line) => `${line}\u001B*`), ''];
  const env = { ...process.env, HISTFILE: '', INPUTRC: '/dev/null', TERM: 'dumb' };
  const options = { cwd, env, input: input.join('\n'), encoding: 'utf8', timeout: 30_000 } as const;
  const { stdout } = spawnSync('bash', ['--norc', '--noprofile', '-i'], options);
  const runs = stdout.match(/BEGIN.*?END/gs) ?? [];
  return lines.map((line, i) => shown(runs[i] ?? '', line));
}

/** The completer that is given all matches inserts them. */
function zshFound(place: Place, lines: readonly string[]): string[][] {
  return inZsh(place, '_all_matches _complete', lines).map((output, i) => shown(output, lines[i]!));
}

const ZSH_SETUP = [
  'PROMPT= RPROMPT= LISTMAX=10000',
  'unset zle_bracketed_paste',
  'stty columns 500 rows 1000 -echo',
  'autoload -Uz compinit; compinit -u -D',
  'zstyle ":completion:*" completer ${=COMPLETER}',
  '[[ $COMPLETER = _complete ]] || setopt menu_complete',
  SHOW,
  'source "$SCRIPT"',
  'print REA""DY',
].join('; ');

// zsh has a line editor on a terminal alone, and brings a terminal along. With the setup and the lines as arguments.
const ZSH_DRIVER = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "$1"
zpty -r z out '*READY*' || exit 1
for line in "\${@:2}"; do
  zpty -w -n z "$line"$'\\t\\n'
  zpty -r z out '*BEGIN*END*' || exit 1
  print -rn -- "$out"$'\\002'
done
zpty -d z`;

// oxlint-disable-next-line no-control-regex -- what a terminal gets
const TERMINAL_CODES = /\u001B\[[\d;]*[A-Za-z]|[\r\u0007]/g;

function inZsh({ script, cwd }: Place, completer: string, lines: readonly string[]): string[] {
  const env = { ...process.env, SCRIPT: script, COMPLETER: completer, TERM: 'xterm' };
  const args = ['-f', '-c', ZSH_DRIVER, 'zsh', ZSH_SETUP, ...lines];
  const { stdout } = spawnSync('zsh', args, { cwd, env, encoding: 'utf8', timeout: 60_000 });
  return stdout
    .split('\u0002')
    .slice(0, -1)
    .map((output) => output.replaceAll(TERMINAL_CODES, ''));
}

function fishFound({ script, cwd }: Place, lines: readonly string[]): string[][] {
  return lines.map((line) => fishLines({ script, cwd }, line).map((word) => word.split('\t')[0]!));
}

/** What fish offers: a word and, behind a tab, its description. */
export function fishLines({ script, cwd }: Place, line: string): string[] {
  const env = { ...process.env, SCRIPT: script, LINE: line };
  const command = 'source "$SCRIPT"; complete -C "$LINE"';
  const { stdout } = spawnSync('fish', ['--no-config', '-c', command], {
    cwd,
    env,
    encoding: 'utf8',
    timeout: 30_000,
  });
  return stdout
    .split('\n')
    .filter((word) => word !== '')
    .map((word) => word.replace(/\/(?=\t|$)/, ''));
}
