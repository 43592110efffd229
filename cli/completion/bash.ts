// bash.ts: the completion script for bash, 3.2 (macOS) and later.
import type { CommandNode, Tree, Value } from './tree.ts';

/** A script that defines the completion of `gqa`. */
export function bashScript({ commands, root }: Tree): string {
  const all = [root, ...commands];
  const names = commands.map(({ name }) => name).join(' ');
  return `# bash completion of gqa, made by: gqa completion bash
${HELPERS}
_gqa() {
  local cur=\${COMP_WORDS[COMP_CWORD]} option=\${COMP_WORDS[COMP_CWORD-1]} command= before=
  COMPREPLY=()
  # Bash takes words apart at "=", unless another completion has told it not to.
  if [ "$cur" = = ]; then
    cur=
  elif [ "$option" = = ]; then
    option=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  case $cur in
    -*=*) option=\${cur%%=*} before=\${cur%%=*}= cur=\${cur#*=} ;;
  esac
  if [ "$COMP_CWORD" -gt 1 ]; then
    case \${COMP_WORDS[1]} in
      -*) ;;
      *) command=\${COMP_WORDS[1]} ;;
    esac
  fi
  case $command:$option in
${all.flatMap(valueCases).join('\n')}
  esac
  case $command:$cur in
${all.flatMap(wordCases).join('\n')}
    :*) _gqa_words '${names}' ;;
    *) _gqa_nothing ;;
  esac
}
complete -o bashdefault -o default -F _gqa gqa
`;
}

/** Without compopt, which bash 3.2 does not have, readline offers files where nothing is found. */
const HELPERS = `_gqa_nothing() {
  compopt +o bashdefault +o default 2>/dev/null
}
_gqa_words() {
  local IFS=$' \\t\\n'
  _gqa_nothing
  COMPREPLY=($(compgen -P "$before" -W "$1" -- "$cur"))
}
_gqa_list() {
  case $cur in
    *,*) before=$before\${cur%,*}, cur=\${cur##*,} ;;
  esac
  _gqa_words "$1"
}
# Readline completes paths itself, and quotes what needs it; not behind an option in the same word.
_gqa_files() {
  [ -z "$before" ] || _gqa_paths -f
}
_gqa_folders() {
  compopt +o bashdefault +o default -o dirnames 2>/dev/null
  [ -z "$before" ] || _gqa_paths -d
}
_gqa_paths() {
  local path
  while IFS= read -r path; do
    [ -z "$path" ] || COMPREPLY+=("$path")
  done <<<"$(compgen -P "$before" "$1" -- "$cur")"
}
_gqa_words_or_files() {
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -P "$before" -W "$1" -- "$cur"))
  compopt -o plusdirs 2>/dev/null
}
`;

/** After an option that takes a value. */
function valueCases({ name, options }: CommandNode): string[] {
  return options.flatMap(({ flags, value }) => {
    if (!value) return [];
    const pattern = flags.map((flag) => `${name}:${flag}`).join(' | ');
    return [`    ${pattern}) ${action(value)}; return ;;`];
  });
}

/** After anything else: the names of options, or the command's argument. */
function wordCases({ name, options, args }: CommandNode): string[] {
  const flags = options.flatMap((option) => option.flags).join(' ');
  const [arg] = args;
  return [`    ${name}:-*) _gqa_words '${flags}' ;;`, ...(arg ? [`    ${name}:*) ${action(arg)} ;;`] : [])];
}

function action({ values: { words = [], list, paths } }: Value): string {
  const quoted = `'${words.join(' ')}'`;
  if (words.length === 0) return paths ? `_gqa_${paths}` : '_gqa_nothing';
  if (paths) return `_gqa_words_or_files ${quoted}`;
  return `${list ? '_gqa_list' : '_gqa_words'} ${quoted}`;
}
