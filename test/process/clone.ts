import { cp, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { newFolder, repository } from './servers.ts';

const ofTheRepository = [
  'src',
  'migrations',
  'dist',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'rolldown.config.js',
  'codegen.yml',
  'schema',
  'vite.config.js',
];

/** A folder like a fresh clone after `npm ci`: scripts run in it, and the server keeps its data there. */
export async function newClone(): Promise<string> {
  const folder = await newFolder('clone');
  for (const name of ofTheRepository) {
    await cp(join(repository, name), join(folder, name), { recursive: true, preserveTimestamps: true });
  }
  await symlink(join(repository, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}
