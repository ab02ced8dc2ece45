import 'reflect-metadata';
import { type Finding, findingsMax, verifyRecord } from '../audit/verify.ts';
import { databaseSchema } from '../database-schema.ts';
import { openDatabase } from '../db/connection.ts';
import { assertSchemaIsKnown } from '../db/migrate.ts';
import { withOwnerDatabase } from './owner-database.ts';
import { runCommand } from './run-command.ts';

const help = `Looks at the whole audit record and names what was changed, deleted, swapped or inserted.

  npm run audit:verify

  --help   this text

Exits with 0 when all is as it was recorded, with 2 when not, with 1 when it could not look.
`;

await runCommand({ name: 'audit:verify', help, options: {} }, async () => {
  const { findings, ...seen } = await withOwnerDatabase(async (url) => {
    const database = await openDatabase({ url, schema: databaseSchema, unlimited: true });
    try {
      await assertSchemaIsKnown(database);
      return await verifyRecord(database.fork());
    } finally {
      await database.close();
    }
  });
  for (const finding of findings) console.log(lineOf(finding));
  if (findings.length >= findingsMax) console.log('… and perhaps more.');
  const pruned = seen.prunedBefore === null ? '' : `, pruned before ${seen.prunedBefore.toISOString()}`;
  console.log(
    `${seen.events} events, ${seen.seals} seals in ${seen.chains} chains, ${seen.unsealed} events not sealed yet${pruned}: ${
      findings.length === 0 ? 'all is as it was recorded.' : `${findings.length} findings.`
    }`,
  );
  process.exitCode = findings.length === 0 ? 0 : 2;
});

function lineOf({ what, applicationId, tenantId, eventId, seal }: Finding): string {
  const chain = `application ${applicationId}${tenantId === '' ? '' : `, tenant ${tenantId}`}`;
  const which = eventId === null ? '' : ` ${eventId}`;
  return `${what}${which} (${chain}${seal === null ? '' : `, seal ${seal}`})`;
}
