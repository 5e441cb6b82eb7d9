// A command line as the words that say the same to another condense: for tasks that run elsewhere.
import type { Command, Option } from 'commander';

export interface TaskCommand {
  /** `build` */
  readonly name: string;
  /** What is no option: environments, mostly. */
  readonly operands: readonly string[];
  /** Options as words, without those that say where it runs and for what. */
  readonly options: readonly string[];
}

/** What a task does not get: it is on its node already, and for one environment. */
const NOT_PASSED = ['on', 'jobs', 'all'];

/** Of a command that commander has read. */
export function readTaskCommand(command: Command): TaskCommand {
  const values = command.opts<Record<string, unknown>>();
  return {
    name: command.name(),
    operands: command.args,
    options: command.options
      .filter((option) => !NOT_PASSED.includes(option.attributeName()))
      .flatMap((option) => renderOption(option, values[option.attributeName()])),
  };
}

/** `--name=value`, so that no value is taken for an option. */
function renderOption(option: Option, value: unknown): string[] {
  const flag = option.long ?? option.short ?? '';
  if (value === undefined || value === false) return [];
  if (value === true) return [flag];
  if (Array.isArray(value)) return value.map((one) => `${flag}=${String(one)}`);
  return [`${flag}=${value as string}`];
}
