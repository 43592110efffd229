// zsh.ts: the completion script for zsh.
import type { ArgumentNode, CommandNode, OptionNode, Tree, Value } from './tree.ts';

/** A script that defines the completion of `gqa`: to be sourced after compinit, or the file `_gqa` of a folder in fpath. */
export function zshScript({ commands, root }: Tree): string {
  const names = commands.map(
    ({ name, description }) => `    ${quote(`${name}:${escape(description, ':\\')}`)}`,
  );
  return `#compdef gqa
# zsh completion of gqa, made by: gqa completion zsh
_gqa() {
  local command=
  local -a commands
  commands=(
${names.join('\n')}
  )
  if [[ $words[2] != -* ]]; then
    if (( CURRENT == 2 )); then
      _describe -t commands command commands
      return
    fi
    command=$words[2]
    shift words
    (( CURRENT-- ))
  fi
  case $command in
${[root, ...commands].map(commandCase).join('\n')}
  esac
}
_gqa_words_or_files() {
  _alternative "words:word:($*)" 'files:file:_files'
}
if [[ $funcstack[1] == _gqa ]]; then
  _gqa "$@"
else
  compdef _gqa gqa
fi
`;
}

function commandCase({ name, options, args }: CommandNode): string {
  const specs = [...options.flatMap(optionSpecs), ...args.map(argumentSpec)];
  return `    ${quote(name)})
      _arguments -S ${specs.map((spec) => `\\\n        ${spec}`).join(' ')}
      ;;`;
}

/** A spelling of an option excludes all others of it, unless it may be repeated. */
function optionSpecs({ flags, description, value }: OptionNode): string[] {
  const before = value?.values.repeats ? '*' : flags.length > 1 ? `(${flags.join(' ')})` : '';
  const behind = value ? `:${escape(value.name, ':\\')}:${action(value)}` : '';
  return flags.map((flag) => {
    const joint = !value ? '' : flag.length === 2 ? '+' : '=';
    return quote(`${before}${flag}${joint}[${escape(description, '[]:\\')}]${behind}`);
  });
}

function argumentSpec(arg: ArgumentNode): string {
  const place = arg.variadic ? '*:' : arg.required ? ':' : '::';
  return quote(`${place}${escape(arg.name, ':\\')}:${action(arg)}`);
}

function action({ name, values: { words, list, paths } }: Value): string {
  if (words && paths) return ` _gqa_words_or_files ${words.join(' ')}`;
  if (words && list) return `_values -s , ${name} ${words.join(' ')}`;
  if (words) return `(${words.join(' ')})`;
  if (paths) return paths === 'files' ? '_files' : '_files -/';
  return ' ';
}

function escape(text: string, special: string): string {
  return Array.from(text, (letter) => (special.includes(letter) ? `\\${letter}` : letter)).join('');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
