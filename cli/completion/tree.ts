// tree.ts: commands, options and arguments of a commander program, as the scripts for shells need them.
import type { Argument, Command, Option } from 'commander';
import { DEFAULT_COMMAND, SHORT_NAMES } from '../../src/node/command/options.ts';
import { valueName, valuesOf, type Values } from '../../src/node/command/completionValues.ts';

/** An option or an argument that takes a value: its name in the help, and what it may be. */
export interface Value {
  readonly name: string;
  readonly values: Values;
}

export interface OptionNode {
  /** All spellings: `-o`, `--output`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** Undefined for an option that is there or not. */
  readonly value?: Value;
}

export interface ArgumentNode extends Value {
  readonly required: boolean;
  readonly variadic: boolean;
}

export interface CommandNode {
  /** Empty for what may follow the program's name itself: its own options and those of the default command. */
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionNode[];
  readonly args: readonly ArgumentNode[];
}

export interface Tree {
  readonly commands: readonly CommandNode[];
  readonly root: CommandNode;
}

/** Reads the tree of a program with subcommands. What its help hides is not in it. */
export function readTree(program: Command): Tree {
  const commands = program.createHelp().visibleCommands(program);
  const names = commands.map((command) => command.name());
  const nodes = commands.map((command) => commandNode(command, names));
  const own = optionsOf(program);
  const taken = new Set(own.flatMap(({ flags }) => flags));
  const standard = nodes.find(({ name }) => name === DEFAULT_COMMAND)!;
  const more = standard.options.filter(({ flags }) => !flags.some((flag) => taken.has(flag)));
  const root = { name: '', description: program.description(), options: [...own, ...more], args: [] };
  return { commands: nodes, root };
}

function commandNode(command: Command, names: readonly string[]): CommandNode {
  return {
    name: command.name(),
    description: command.description(),
    options: optionsOf(command),
    args: command.registeredArguments.map((argument) => argumentNode(argument, names)),
  };
}

function optionsOf(command: Command): OptionNode[] {
  return command.createHelp().visibleOptions(command).map(optionNode);
}

function optionNode(option: Option): OptionNode {
  const { short, long, description } = option;
  const letters = Object.keys(SHORT_NAMES).filter((name) => SHORT_NAMES[name] === long);
  const flags = [short, ...letters, long].filter((flag) => flag !== undefined);
  const name = valueName(option);
  return { flags, description, ...(name !== undefined && { value: { name, values: valuesOf(option) } }) };
}

function argumentNode(argument: Argument, names: readonly string[]): ArgumentNode {
  const name = argument.name();
  // Commander's own help command.
  const values = name === 'command' ? { words: names } : valuesOf(argument);
  return { name, values, required: argument.required, variadic: argument.variadic };
}
