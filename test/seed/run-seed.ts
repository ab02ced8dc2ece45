import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  repository,
  runProcess,
  type ServerOptions,
  type ServerProcess,
  startProcess,
} from '../process/servers.ts';
import { databaseUrl } from '../setup/harness.ts';

/** A key that the tests' seeds are sealed with. */
export const sealingKey = { id: 'seeded', key: randomBytes(32) };

const settings = {
  DATABASE_URL: databaseUrl(),
  ENCRYPTION_KEYS: `${sealingKey.id}:${sealingKey.key.toString('base64')}`,
};

const seedCommand = (args: readonly string[]): [string, ...string[]] => [
  process.execPath,
  join(repository, 'dist/src/commands/seed.js'),
  ...args,
];

type Options = Partial<Pick<ServerOptions, 'folder' | 'env'>>;

/** Runs the built command to its end, on the run's database as its owner unless told otherwise. */
export const runSeed = (args: readonly string[], { folder = '/', env = settings }: Options = {}) =>
  runProcess({ folder, env, command: seedCommand(args) });

/** Starts it only. */
export const startSeed = (args: readonly string[]): ServerProcess =>
  startProcess({ folder: '/', env: settings, command: seedCommand(args) });

/** Settings besides or instead of the usual ones; an empty one is none. */
export const withSettings = (changed: Record<string, string>): Options => ({
  env: { ...settings, ...changed },
});
