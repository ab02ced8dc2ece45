import { placeText } from '../../dist/src/factor/rows.js';
import { systemClock } from '../../dist/src/shared/clock.js';
import { uuidV7Ids } from '../../dist/src/shared/ids.js';
import { KeyRing } from '../../dist/src/shared/key-ring.js';
import { personOf } from './contestants/people.mjs';

/* The MFA step as the load generator makes it: with whom, and as whom. */

/** A code is good once per time step of 30 s, so nobody may have a second turn within it. */
export const people = 30_000;

const application = 'seed-a0001';
const json = { 'content-type': 'application/json' };

/** @param next whose turn it is; moves on with each run */
export async function runSteps(load, contestant, { connections }, seconds) {
  const { url, flow, headers, next } = contestant;
  const job = { url, connections, seconds, flow, headers, people: contestant.people, from: next };
  const measured = await load.run(job);
  contestant.next = measured.next;
  return measured;
}

/** Steps of users of better-auth; their secrets are texts, and their bytes the keys. */
export const betterAuthSteps = () => ({
  flow: 'better-auth',
  headers: { browser: { ...json, origin: 'http://127.0.0.1:4000' } },
  people: Array.from({ length: people }, (_, n) => {
    const { id, email, secret } = personOf(n);
    return { id, email, secret: Buffer.from(secret.toString('hex')).toString('hex') };
  }),
  next: 0,
});

/**
 * Steps of users of ours: makes them as if they had enrolled, in tenants of one application where TOTP is on.
 * @param database with what `npm run seed` made
 */
export async function productSteps(ground, database) {
  const token = await ground.mint({
    sub: 'sign-in',
    scope: 'mfa-workflow:execute',
    application_id: application,
  });
  return {
    flow: 'cufflink',
    headers: { service: { ...json, authorization: `Bearer ${token}` }, browser: json },
    people: await enrollPeople(ground, database),
    next: 0,
  };
}

async function enrollPeople(ground, database) {
  const tenants = await ground.query(
    database,
    'select id from tenants where application_id = $1 and (not override_enabled or totp_enabled) order by id',
    [application],
  );
  const keyRing = new KeyRing([ground.encryptionKey]);
  const ids = uuidV7Ids(systemClock(0));
  const rows = Array.from({ length: people }, (_, n) => {
    const { id, email, secret } = personOf(n);
    const tenantId = tenants[n % tenants.length].id;
    const factorId = ids.next();
    const { keyId, bytes } = keyRing.seal(secret, placeText({ tenantId, userId: id, id: factorId }));
    return {
      tenantId,
      id,
      email,
      secret: secret.toString('hex'),
      factorId,
      keyId,
      sealed: bytes.toString('hex'),
    };
  });
  const given = [JSON.stringify(rows)];
  const from = `from jsonb_to_recordset($1::jsonb) as n("tenantId" text, id text, email text, "factorId" uuid, "keyId" text, sealed text)`;
  await ground.query(
    database,
    `insert into users (tenant_id, id, account_name, first_enrolled_at, created_at)
     select "tenantId", id, email, now(), now() ${from}`,
    given,
  );
  await ground.query(
    database,
    `insert into auth_factors (tenant_id, user_id, id, type, key_id, secret, created_at, activated_at)
     select "tenantId", id, "factorId", 'TOTP', "keyId", decode(sealed, 'hex'), now(), now() ${from}`,
    given,
  );
  await ground.query(database, 'vacuum (analyze) users, auth_factors');
  return rows.map(({ tenantId, id, email, secret }) => ({ tenantId, id, email, secret }));
}
