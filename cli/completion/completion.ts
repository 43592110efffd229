// completion.ts: `gqa completion`, a script that teaches a shell the commands, options and values of gqa.
import { Argument, type Command } from 'commander';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { readTree, type Tree } from './tree.ts';
import { zshScript } from './zsh.ts';

const SCRIPTS: Readonly<Record<string, (tree: Tree) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** Adds the `completion` command, whose script goes to the program's `writeOut`. */
export function registerCompletion(program: Command): void {
  const command = program
    .command('completion')
    .description('print a script that completes gqa in bash, zsh or fish')
    .addArgument(new Argument('<shell>', 'for which shell').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', HELP)
    .action((shell: string) => {
      command.configureOutput().writeOut?.(SCRIPTS[shell]!(readTree(program)));
    });
}

const HELP = `
One line in the file that the shell reads when it starts:
  ~/.bashrc                    eval "$(gqa completion bash)"
  ~/.zshrc, behind compinit    source <(gqa completion zsh)
  ~/.config/fish/config.fish   gqa completion fish | source

It completes a command of the name gqa, not "npx gqa" nor "node bin/gqa.mjs". In a clone "npm link" makes that name, or a
function of the shell: gqa() { node ~/gqa-webgpu/bin/gqa.mjs "$@"; }`;
