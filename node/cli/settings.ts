/**
 * Where a flag's value comes from: the flag itself, else `RINGMESH_<NAME>`, else the configuration file, else the default. `completeOptions` runs before
 * a command's action and writes what it finds into commander's own option values, through the same parsers.
 */

import { InvalidArgumentError, type Command, type Option } from 'commander';
import { emptyConfig, readConfigFile, type ConfigFile } from './config-file.ts';
import { usageError } from './errors.ts';
import { truth } from './parsers.ts';

const notSettable = new Set(['config', 'help', 'version']);

/** The long name without its dashes. */
const flagName = (option: Option): string => (option.long ?? option.short ?? '').replace(/^-+/, '');

export const variableName = (flag: string): string => `RINGMESH_${flag.replaceAll('-', '_').toUpperCase()}`;

/** The names that a configuration file may use: the flags of all commands. */
function settableNames(program: Command): Set<string> {
  const names = program.commands.flatMap((command) => command.options.map(flagName));
  return new Set(names.filter((name) => !notSettable.has(name)));
}

/** Fills in what was not given as a flag. The configuration is returned for what is no flag (`buckets`). */
export async function completeOptions(command: Command, environment: NodeJS.ProcessEnv): Promise<ConfigFile> {
  const path = command.getOptionValue('config') ?? environment[variableName('config')];
  const takesConfig = command.options.some((option) => flagName(option) === 'config');
  const known = settableNames(command.parent ?? command);
  const file = takesConfig && typeof path === 'string' && path !== '' ? await readConfigFile(path, known) : emptyConfig;
  for (const option of command.options) {
    const name = flagName(option);
    if (notSettable.has(name) || command.getOptionValueSource(option.attributeName()) === 'cli') continue;
    const variable = environment[variableName(name)];
    if (variable !== undefined && variable !== '') set(command, option, [variable], 'env', variableName(name));
    else if (file.values.has(name)) set(command, option, file.values.get(name) ?? [], 'config', `${String(path)}: ${name}`);
  }
  return file;
}

/** Parses as the flag would be parsed, given once for each text. */
function set(command: Command, option: Option, texts: readonly string[], source: string, place: string): void {
  let value: unknown;
  for (const text of texts) {
    try {
      value = parse(option, text, value);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      throw usageError(`${place} is ${JSON.stringify(text)}, which is not valid. ${error.message}`);
    }
  }
  if (texts.length > 0) command.setOptionValueWithSource(option.attributeName(), value, source);
}

function parse(option: Option, text: string, previous: unknown): unknown {
  if (!option.required && !option.optional) return truth(text) !== option.negate;
  if (option.parseArg !== undefined) return option.parseArg(text, previous);
  if (previous !== undefined) throw new InvalidArgumentError('Expected one value.');
  return text;
}
