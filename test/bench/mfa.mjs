import { placeText } from '../../dist/src/factor/rows.js';
import { systemClock } from '../../dist/src/shared/clock.js';
import { uuidV7Ids } from '../../dist/src/shared/ids.js';
import { KeyRing } from '../../dist/src/shared/key-ring.js';
import { personOf } from './contestants/people.mjs';
import { countStatements, seedDatabase } from './data.mjs';
import { startServer } from './processes.mjs';
import { failuresOf, judged, printSeries } from './report.mjs';
import { inTurn, ratioOf } from './rounds.mjs';

/** A code is good once per time step of 30 s, so nobody may have a second turn within it. */
const people = 30_000;
const application = 'seed-a0001';

/** Question 2: a whole MFA step, from the accepted first factor to the proof of the second. */
export async function compareMfaSteps(ground, load, options) {
  await seedDatabase(ground, 'mfa', { tenants: options.tenants, users: options.tenants, applications: 10 });
  const enrolled = await enrollPeople(ground);
  await ground.query('cufflink', 'create database better_auth');
  const json = { 'content-type': 'application/json' };
  const contestants = [
    {
      ...(await startServer('cufflink', 'contestants/cufflink.mjs', ground.productEnv('mfa'))),
      database: 'mfa',
      flow: 'cufflink',
      headers: {
        service: { ...json, authorization: `Bearer ${await ground.mint(asSignInService)}` },
        browser: json,
      },
      people: enrolled,
      next: 0,
    },
    {
      ...(await startServer('better-auth, two-factor', 'contestants/better-auth.mjs', {
        ...ground.peerEnv('better_auth'),
        BENCH_PEOPLE: people,
      })),
      database: 'better_auth',
      flow: 'better-auth',
      headers: { browser: { ...json, origin: 'http://127.0.0.1:4000' } },
      people: peopleOf(({ secret }) => ({ secret: Buffer.from(secret.toString('hex')).toString('hex') })),
      next: 0,
    },
  ];
  const measure = async (contestant, seconds) => {
    const { url, flow, headers, next } = contestant;
    const { connections } = options;
    const measured = await load.run({
      url,
      connections,
      seconds,
      flow,
      headers,
      people: contestant.people,
      from: next,
    });
    contestant.next = measured.next;
    return measured;
  };
  const series = await inTurn(contestants, options, measure);
  const [ours, theirs] = series;
  const ratios = { [theirs.name]: ratioOf(ours, theirs) };
  printSeries('The MFA step, steps per second', series, ratios);
  const statements = {};
  for (const contestant of contestants) {
    statements[contestant.name] = await statementsPerStep(ground, contestant, () => measure(contestant, 2));
    console.log(
      `  ${contestant.name}: ${statements[contestant.name].toFixed(1)} database statements per step, all that runs beside it included`,
    );
    await contestant.stop();
  }
  const goal = judged({
    what: `MFA step: cufflink / ${theirs.name}`,
    value: ratios[theirs.name].median,
    atLeast: 2,
    isVoid: failuresOf(ours) + failuresOf(theirs) > 0,
  });
  return [{ question: 'MFA step', series, ratios, statements, goals: [goal] }];
}

const asSignInService = { sub: 'sign-in', scope: 'mfa-workflow:execute', application_id: application };

const peopleOf = (more) =>
  Array.from({ length: people }, (_, n) => {
    const person = personOf(n);
    return { id: person.id, email: person.email, ...more(person, n) };
  });

/** Users as if they had enrolled, in tenants of one application where TOTP is on. */
async function enrollPeople(ground) {
  const tenants = await ground.query(
    'mfa',
    'select id from tenants where application_id = $1 and (not override_enabled or totp_enabled) order by id',
    [application],
  );
  const keyRing = new KeyRing([ground.encryptionKey]);
  const ids = uuidV7Ids(systemClock(0));
  const rows = peopleOf(({ secret, id: userId }, n) => {
    const tenantId = tenants[n % tenants.length].id;
    const id = ids.next();
    const { keyId, bytes } = keyRing.seal(secret, placeText({ tenantId, userId, id }));
    return { tenantId, factorId: id, keyId, sealed: bytes.toString('hex'), secret: secret.toString('hex') };
  });
  const given = [JSON.stringify(rows)];
  const from = `from jsonb_to_recordset($1::jsonb) as n("tenantId" text, id text, email text, "factorId" uuid, "keyId" text, sealed text)`;
  await ground.query(
    'mfa',
    `insert into users (tenant_id, id, account_name, first_enrolled_at, created_at)
     select "tenantId", id, email, now(), now() ${from}`,
    given,
  );
  await ground.query(
    'mfa',
    `insert into auth_factors (tenant_id, user_id, id, type, key_id, secret, created_at, activated_at)
     select "tenantId", id, "factorId", 'TOTP', "keyId", decode(sealed, 'hex'), now(), now() ${from}`,
    given,
  );
  await ground.query('mfa', 'vacuum (analyze) users, auth_factors');
  return rows.map(({ tenantId, id, email, secret }) => ({ tenantId, id, email, secret }));
}

/** What PostgreSQL counted in a run, by the number of steps in it. */
async function statementsPerStep(ground, { database }, run) {
  await ground.query('cufflink', 'create extension if not exists pg_stat_statements');
  await countStatements(ground, true);
  await ground.query('cufflink', 'select pg_stat_statements_reset()');
  const { answers } = await run();
  const [{ calls }] = await ground.query(
    'cufflink',
    `select coalesce(sum(calls), 0)::int as calls from pg_stat_statements
     where dbid = (select oid from pg_database where datname = $1)`,
    [database],
  );
  await countStatements(ground, false);
  return calls / answers;
}
