import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { sentenceFor } from '../messages.ts';

/** Nothing was done; the message says what would be right. */
export class CommandRefused extends Error {
  override name = 'CommandRefused';
}

/** It was called in a way that can't be; where to look is added to the message. */
export class CommandUse extends Error {
  override name = 'CommandUse';
}

interface Command<O extends ParseArgsOptionsConfig> {
  /** Of the script in package.json: npm run NAME. */
  name: string;
  help: string;
  /** Beside --help. */
  options: O;
  /** Whether words are taken that belong to no option. */
  allowPositionals?: boolean;
  /** Errors beside CommandRefused whose message is for the reader. */
  refusals?: readonly (abstract new (
    ...args: never[]
  ) => Error)[];
}

type Values<O extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: O }>>['values'];

/**
 * Runs a command: --help prints its help, an option that it does not have is refused before anything is done, and what
 * goes wrong is told in a sentence, with exit code 1.
 */
export async function runCommand<const O extends ParseArgsOptionsConfig>(
  { name, help, options, allowPositionals = false, refusals = [] }: Command<O>,
  work: (values: Values<O>, positionals: readonly string[]) => Promise<void>,
): Promise<void> {
  try {
    const { values, positionals } = parseArgs({
      options: { ...options, help: { type: 'boolean' } },
      allowPositionals,
    });
    if ((values as { help?: boolean }).help) process.stdout.write(help);
    else await work(values as Values<O>, positionals);
  } catch (error) {
    const isForTheReader = [CommandRefused, ...refusals].some((refusal) => error instanceof refusal);
    console.error(
      usageSentence(error, name) ?? sentenceFor(error) ?? (isForTheReader ? (error as Error).message : error),
    );
    process.exitCode = 1;
  }
}

/** Node.js' own sentence, without its advice on arguments that begin with a dash, and where to look. */
function usageSentence(error: unknown, name: string): string | null {
  const { code, message } = error as { code?: unknown; message: string };
  const isUsage = typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS');
  if (!isUsage && !(error instanceof CommandUse)) return null;
  return `${isUsage ? message.split(/\.\s/)[0] : message} (npm run ${name} -- --help)`;
}
