// fish.ts: the completion script for fish.
import type { CommandNode, OptionNode, Tree, Value } from './tree.ts';

/** A script that defines the completion of `gqa`. */
export function fishScript({ commands, root }: Tree): string {
  const lines = [
    '# fish completion of gqa, made by: gqa completion fish',
    HELPERS,
    'complete -c gqa -e',
    'complete -c gqa -f',
    ...commands.map(
      ({ name, description }) =>
        `complete -c gqa -n '__gqa_first' -a ${quote(name)} -d ${quote(description)}`,
    ),
    ...[root, ...commands].flatMap(commandLines),
  ];
  return `${lines.join('\n')}\n`;
}

/** An option in place of a command is one of the default command: `__gqa_is ''`. */
const HELPERS = `function __gqa_is
    set -l words (commandline -opc)
    set -l command $words[2]
    string match -q -- '-*' "$command"; and set command ''
    test "$command" = $argv[1]
end
function __gqa_first
    test (count (commandline -opc)) -eq 1
end
function __gqa_value
    commandline -ct | string replace -r -- '^-[^=]*=' ''
end
function __gqa_list
    set -l before (__gqa_value | string match -r -- '^.*,')
    printf '%s\\n' "$before"$argv
end`;

function commandLines(command: CommandNode): string[] {
  const head = `complete -c gqa -n ${quote(`__gqa_is ${quote(command.name)}`)}`;
  return [
    ...command.options.map((option) => `${head} ${optionWords(option)}`),
    ...command.args.slice(0, 1).map((arg) => `${head} ${valueWords(arg, '')}`),
  ];
}

function optionWords({ flags, description, value }: OptionNode): string {
  const words = [...flags.map(flagWords), ...(value ? [valueWords(value, '-r')] : [])];
  return [...words, '-d', quote(description)].join(' ');
}

function flagWords(flag: string): string {
  if (flag.startsWith('--')) return `-l ${quote(flag.slice(2))}`;
  return `${flag.length === 2 ? '-s' : '-o'} ${quote(flag.slice(1))}`;
}

/** `required`: what says that a value must follow. */
function valueWords({ values: { words, list, paths } }: Value, required: string): string {
  const offered = words?.map(quote).join(' ') ?? '';
  const parts = [
    required,
    paths === 'files' ? '-F' : required && '-f',
    ...(words ? ['-a', quote(list ? `(__gqa_list ${offered})` : offered)] : []),
    ...(paths === 'folders' ? ['-a', quote('(__fish_complete_directories (__gqa_value))')] : []),
  ];
  return parts.filter(Boolean).join(' ');
}

/** In single quotes fish knows two escapes. */
function quote(text: string): string {
  if (/^[\w./-]+$/.test(text)) return text;
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}
