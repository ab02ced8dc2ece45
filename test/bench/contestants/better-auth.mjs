// better-auth with its two-factor plugin, on Node's HTTP server; its own migrations, its own adapter for pg.
import { createServer } from 'node:http';
import { betterAuth } from 'better-auth';
import { symmetricEncrypt } from 'better-auth/crypto';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import { twoFactor } from 'better-auth/plugins/two-factor';
import pg from 'pg';
import { personOf } from './people.mjs';

const secret = 'a secret of the bench, long enough to be taken for one';
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
const options = {
  database: pool,
  secret,
  baseURL: 'http://127.0.0.1:4000',
  trustedOrigins: ['http://127.0.0.1:4000'],
  emailAndPassword: {
    enabled: true,
    // The first factor is not what is measured: any password is right, at no cost.
    password: { hash: async () => 'none', verify: async () => true },
  },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: 'error' },
  plugins: [twoFactor()],
};

const { runMigrations } = await getMigrations(options);
await runMigrations();
await enroll(Number(process.env.BENCH_PEOPLE));

const server = createServer(toNodeHandler(betterAuth(options)));
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));

/** Users as if they had enrolled; the secrets sealed as the plugin seals them. */
async function enroll(people) {
  const rows = [];
  for (let n = 0; n < people; n += 1) {
    const { id, email, secret: authenticator } = personOf(n);
    const data = authenticator.toString('hex');
    rows.push({ id, email, secret: await symmetricEncrypt({ key: secret, data }) });
  }
  const given = [JSON.stringify(rows)];
  const from = 'from jsonb_to_recordset($1::jsonb) as n(id text, email text, secret text)';
  await pool.query(
    `insert into "user" (id, name, email, "emailVerified", "twoFactorEnabled", "createdAt", "updatedAt")
     select id, 'User', email, true, true, now(), now() ${from}`,
    given,
  );
  await pool.query(
    `insert into account (id, "accountId", "providerId", "userId", password, "createdAt", "updatedAt")
     select 'account-' || id, id, 'credential', id, 'none', now(), now() ${from}`,
    given,
  );
  await pool.query(
    `insert into "twoFactor" (id, secret, "backupCodes", "userId", verified)
     select 'factor-' || id, secret, '', id, true ${from}`,
    given,
  );
  await pool.query('vacuum (analyze)');
}
