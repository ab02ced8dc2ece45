import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { databaseSchema } from '../../src/database-schema.ts';
import { type Database, openDatabase } from '../../src/db/connection.ts';
import { CreateApplicationDocument } from '../generated/documents.ts';
import { wiredDatabase } from '../http/proxy.ts';
import { databaseUrl, startTestServer, type TestServer, uniqueId } from '../setup/harness.ts';
import { faults, withFaults } from '../setup/statement-faults.ts';
import { stepOf } from '../signin/step-tools.ts';
import { signInWorld, startToken } from '../signin/user-agent.ts';
import { statementsOf } from '../tenancy/statements.ts';

/* What becomes of a connection on which something failed: the next call must not get to feel it. */

const poolConnectionsMax = 2;

let database: Database;
let server: TestServer;
beforeAll(async () => {
  database = await openDatabase({ url: databaseUrl(), schema: databaseSchema, poolConnectionsMax });
  server = await startTestServer({ database });
});
afterAll(async () => {
  await server.stop();
  await database.close();
});

const create = async (on = server) => {
  const admin = await on.caller();
  return admin.call(CreateApplicationDocument, {
    input: { id: uniqueId('app'), displayName: 'Connections' },
  });
};

test.each(faults)(
  'REL-2: no connection is lost to a transaction that fails: %s each statement',
  async (fault) => {
    const statements = await statementsOf(() => create());
    expect(statements[0]).toBe('begin');
    expect(statements.at(-1)).toBe('commit');
    for (let at = 1; at <= statements.length; at += 1) {
      for (let times = 0; times <= poolConnectionsMax; times += 1) {
        const answer = await withFaults(
          (n) => (n === at ? fault : null),
          () => create(),
        );
        expect(answer).toMatchObject({ status: 503, errors: [{ extensions: { code: 'UNAVAILABLE' } }] });
      }
      expect(await create()).toMatchObject({ status: 200 });
    }
  },
);

test('REL-1: after the database hung, what is acknowledged is kept: no transaction of before swallows it', async () => {
  const wire = await wiredDatabase();
  const hung = await startTestServer({ database: wire.database });
  const world = await signInWorld(hung);
  wire.freeze();
  expect(await create(hung)).toMatchObject({ status: 503 });
  wire.mend();
  const mfaToken = await startToken(world, uniqueId('user'));
  expect(await stepOf(server, mfaToken)).toMatchObject({ purpose: 'ENROLLMENT', finished_at: null });
  await hung.stop();
  await wire.close();
});
