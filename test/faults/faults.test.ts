import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { databaseSchema } from '../../src/database-schema.ts';
import { poolConnectionsMax } from '../../src/shared/limits.ts';
import { breaks } from './breaks.ts';
import { newTally } from './caller.ts';
import type { FaultyServer } from './fleet.ts';
import { brokenInvariants, invariants } from './invariants.ts';
import { rowsIn } from './postgres.ts';
import { type Scenario, tableOf } from './report.ts';
import { type Stage, setStage } from './stage.ts';
import { atRate, capacityOf } from './starter.ts';

/*
 * What is promised while things break: real servers in production mode, a real PostgreSQL that writes to
 * disk, and clients that write down what was acknowledged before anybody judges. A few rounds in `npm test`;
 * `npm run test:faults` runs the long form and prints docs/reliability.md's table.
 */

const isLong = process.env['FAULTS'] === 'long';
/** Of the long form, a part: 0.1 has a tenth of its rounds. */
const share = Number(process.env['FAULTS_SHARE'] ?? 1);
const rounds = (long: number, short: number) => (isLong ? Math.ceil(long * share) : short);
const outageMs = isLong ? 10_000 : 3_500;

let stage: Stage;
const scenarios: Scenario[] = [];
beforeAll(async () => {
  stage = await setStage(isLong);
}, 120_000);
afterAll(async () => {
  if (isLong) process.stderr.write(`\n${tableOf(scenarios)}\n\n`);
  await stage?.close();
}, 60_000);

const between = (least: number, most: number): number => least + Math.random() * (most - least);
const nothing = async (): Promise<void> => {};
const first = (): FaultyServer => stage.servers[0] as FaultyServer;

const migrationsIn = async (url: string): Promise<string[]> =>
  (await rowsIn<{ name: string }>(url, 'select name from mikro_orm_migrations order by id')).map(
    ({ name }) => name,
  );

async function judge(scenario: Promise<Scenario>): Promise<Scenario> {
  const judged = await scenario;
  scenarios.push(judged);
  const { name, tally, verifications, broken } = judged;
  expect({ name, violations: tally.violations, broken }).toEqual({ name, violations: [], broken: [] });
  expect(tally.acknowledged).toBeGreaterThan(0);
  expect(verifications).toBeGreaterThan(0);
  return judged;
}

test('the judge finds each thing that it looks for, once it is so', async () => {
  const { postgres } = stage;
  const finished = `select distinct user_id from mfa_steps where purpose = 'CHALLENGE' and satisfied_by = 'otp' and finished_at is not null`;
  // The endpoint is asked for what came some time after it.
  const queued = `select 1 from webhook_deliveries d join webhook_endpoints w on w.id = d.endpoint_id where d.event_at > w.created_at + interval '2 seconds'`;
  await judge(
    stage.scenario(
      'nothing breaks',
      1,
      async () => {
        // There must be something to break, however slow or fast the machine is.
        while ((await postgres.rows(finished)).length < 3 || (await postgres.rows(queued)).length === 0) {
          await sleep(250);
        }
        return [];
      },
      { answerMsMax: 10_000 },
    ),
  );
  expect(Object.keys(breaks).sort()).toEqual(Object.keys(invariants).sort());
  const overlooked: string[] = [];
  for (const [found, statements] of Object.entries(breaks)) {
    for (const statement of statements) {
      const broken = await postgres.supposing(statement, (rows) => brokenInvariants({ rows }, found));
      if (broken.length === 0) overlooked.push(`${found}: ${statement}`);
    }
  }
  expect(overlooked).toEqual([]);
  expect(await brokenInvariants(postgres)).toEqual([]);
}, 120_000);

/**
 * Kills the server and starts the next.
 * @param between is done while no server runs
 * @returns milliseconds from its start until it has acknowledged a change
 */
async function replace(between: () => Promise<void>, env: Record<string, string> = {}): Promise<number> {
  first().child.kill('SIGKILL');
  await first().ended;
  await between();
  const began = performance.now();
  stage.servers[0] = await stage.fleet.start(env);
  await stage.untilServed(first());
  return performance.now() - began;
}

test(
  'REL-1: killed at any moment under load, nothing acknowledged is lost, nothing half done, the next start works',
  async () => {
    const times = rounds(300, 2);
    await judge(
      stage.scenario('kill -9 at any moment', times, async (check) => {
        const recovery: number[] = [];
        for (let n = 0; n < times; n += 1) {
          await sleep(between(0, 1_500));
          recovery.push(await replace(check));
        }
        return recovery;
      }),
    );
  },
  isLong ? 5_400_000 : 240_000,
);

/** Statements by a part of their text, or of their values, that no other has. */
const crashPoints: Record<string, string> = {
  'a step is opened': 'insert into mfa_steps',
  'an attempt is reserved': 'insert into users (tenant_id, id, created_at, "totp_failures")',
  'a code is spent': 'update auth_factors set spent',
  'a factor is confirmed': 'insert into auth_factors',
  'a recovery code is redeemed': 'recovery_code.used',
  'a step is finished': 'set finished_at',
  'a policy is changed': 'update policy_feed',
  'a tenant is made': 'insert into tenants',
  'the record is sealed': 'insert into audit_seals',
};

test(
  'REL-1: killed while a statement is on its way, the statement is done as a whole or not at all',
  async () => {
    const times = rounds(10, 1);
    const points = Object.entries(crashPoints).filter((_, n) => isLong || n % 3 === 0);
    const { wire } = stage.postgres;
    // What is prepared is named by a number on the wire.
    const named = { PREPARED_STATEMENTS: 'off' };
    await replace(nothing, named);
    await judge(
      stage.scenario('kill -9 at named statements', times * points.length, async (check) => {
        const recovery: number[] = [];
        for (const [what, text] of points) {
          for (let n = 0; n < times; n += 1) {
            await new Promise<void>((resolve, reject) => {
              const late = setTimeout(() => reject(new Error(`It never came about that ${what}.`)), 60_000);
              wire.watch((sent) => {
                if (!sent.includes(text)) return false;
                wire.watch(null);
                clearTimeout(late);
                // Every other time before the statement is sent, else while it is carried out.
                if (n % 2 === 1) setTimeout(() => first().child.kill('SIGKILL'), between(0, 3));
                else first().child.kill('SIGKILL');
                resolve();
                return false;
              });
            });
            recovery.push(await replace(check, named));
          }
        }
        return recovery;
      }),
    );
    await replace(nothing);
  },
  isLong ? 3_600_000 : 240_000,
);

const outages: [string, (stage: Stage) => Promise<void>][] = [
  ['the database is restarted fast', async ({ postgres }) => postgres.stop('fast').then(postgres.start)],
  [
    'the database is restarted at once',
    async ({ postgres }) => postgres.stop('immediate').then(postgres.start),
  ],
  [
    `the database is away for a while`,
    async ({ postgres }) => {
      await postgres.stop('fast');
      await sleep(outageMs);
      await postgres.start();
    },
  ],
  [
    'the database stands still for a while',
    async ({ postgres }) => {
      await postgres.freeze();
      await sleep(outageMs);
      postgres.thaw();
    },
  ],
  [
    'the network is gone for a while',
    async ({ postgres: { wire } }) => {
      wire.cut();
      await sleep(outageMs);
      wire.mend();
    },
  ],
  [
    'answers of the database are slow',
    async ({ postgres: { wire } }) => {
      wire.delay(150);
      await sleep(outageMs);
      wire.delay(0);
    },
  ],
];

/** A simple query of this text alone [PostgreSQL's protocol: Q, the length, the text, 0]. */
const isCommit = (sent: Buffer): boolean => /^Q.{4}commit\0/is.test(sent.toString('latin1'));

/** The short form has one of each way to fail: gone, silent, unreachable. */
const chosen = isLong ? outages : outages.filter((_, n) => [1, 3, 4].includes(n));

test.each(chosen)(
  'REL-2: %s: every call is answered within 3 s, the server lives, and acknowledges changes within 1 s of the database',
  async (name, outage) => {
    const times = rounds(10, 1);
    const server = first();
    const { recoveryMs } = await judge(
      stage.scenario(name, times, async (check) => {
        const recovery: number[] = [];
        for (let n = 0; n < times; n += 1) {
          await sleep(between(500, 1_500));
          await outage(stage);
          recovery.push(await stage.untilServed(server));
          await check();
        }
        return recovery;
      }),
    );
    expect(server.isRunning()).toBe(true);
    expect(Math.max(...recoveryMs)).toBeLessThan(1_000);
  },
  isLong ? 900_000 : 120_000,
);

test(
  'REL-2: a connection cut while a statement or a commit is carried out: a repeated call tells what became of it, and nothing happens twice',
  async () => {
    const times = rounds(500, 25);
    const { wire } = stage.postgres;
    const cut = { statements: 0, commits: 0 };
    const { recoveryMs } = await judge(
      stage.scenario('cut in the middle of a statement or commit', times, async (check) => {
        const recovery: number[] = [];
        for (let n = 0; n < times; n += 1) {
          await sleep(between(0, 50));
          // One of the next statements, whichever it is, and every other time the end of a transaction.
          const what = n % 2 === 1 ? 'commits' : 'statements';
          let left = what === 'commits' ? 1 : Math.floor(between(1, 10));
          await new Promise<void>((resolve, reject) => {
            const late = setTimeout(() => reject(new Error(`No ${what} came to be cut.`)), 60_000);
            wire.watch((sent) => {
              if (what === 'commits' && !isCommit(sent)) return false;
              left -= 1;
              if (left > 0) return false;
              cut[what] += 1;
              wire.watch(null);
              clearTimeout(late);
              resolve();
              return true;
            });
          });
          recovery.push(await stage.untilServed(first()));
          if (n % 25 === 24) await check();
        }
        return recovery;
      }),
    );
    wire.watch(null);
    expect(cut).toEqual({ statements: Math.ceil(times / 2), commits: Math.floor(times / 2) });
    // The database was never away: no call has to wait for longer than for its answer.
    expect(Math.max(...recoveryMs)).toBeLessThan(3_000);
  },
  isLong ? 900_000 : 120_000,
);

test(
  'REL-3: SIGTERM under load: accepted requests finish, exit 0 within 10 s',
  async () => {
    const times = rounds(50, 1);
    const { tally } = await judge(
      stage.scenario('SIGTERM under load', times, async (check) => {
        const exits: number[] = [];
        for (let n = 0; n < times; n += 1) {
          await sleep(between(200, 1_000));
          const leaving = first();
          // As a balancer: the next one is there before the first is told to go.
          const next = await stage.fleet.start();
          const began = performance.now();
          leaving.child.kill('SIGTERM');
          expect(await stage.untilUnready(leaving)).toBe(503);
          stage.servers[0] = next;
          expect(await leaving.ended).toBe(0);
          exits.push(performance.now() - began);
          await check();
        }
        return exits;
      }),
    );
    expect({ lost: tally.lost }).toEqual({ lost: 0 });
    expect(Math.max(...(scenarios.at(-1)?.recoveryMs ?? []))).toBeLessThan(10_000);
  },
  isLong ? 1_800_000 : 240_000,
);

test(
  'REL-4: a rolling restart of two servers behind a client that takes turns: no request fails',
  async () => {
    const times = rounds(20, 1);
    stage.servers.push(await stage.fleet.start());
    const { tally } = await judge(
      stage.scenario(
        'rolling restart of two servers',
        times,
        async (check) => {
          for (let n = 0; n < times; n += 1) {
            for (const leaving of [...stage.servers]) {
              await sleep(between(300, 800));
              leaving.child.kill('SIGTERM');
              // A balancer sees the 503 before the server stops taking calls.
              expect(await stage.untilUnready(leaving)).toBe(503);
              stage.servers.splice(stage.servers.indexOf(leaving), 1);
              expect(await leaving.ended).toBe(0);
              stage.servers.push(await stage.fleet.start());
            }
            await check();
          }
          return [];
        },
        { lanes: 2 },
      ),
    );
    expect({ lost: tally.lost, refused: tally.refused }).toEqual({ lost: 0, refused: 0 });
    for (const surplus of stage.servers.splice(1)) surplus.child.kill('SIGTERM');
  },
  isLong ? 1_800_000 : 240_000,
);

test(
  'REL-5: two servers that start at once, beside one that is killed, migrate once and serve; on a schema that they do not know, none does',
  async () => {
    const times = rounds(20, 1);
    const { postgres, fleet } = stage;
    const known = databaseSchema.migrations.map(({ name }) => name);
    await judge(
      stage.scenario('two starts at once', times, async () => {
        const ready: number[] = [];
        for (let n = 0; n < times; n += 1) {
          const own = new URL(postgres.directUrl());
          own.pathname = `/start_${n}`;
          await postgres.rows(`create database start_${n}`);
          const env = { DATABASE_URL: own.href, MIGRATE: 'on' };
          const began = performance.now();
          const [one, other] = await Promise.all([
            fleet.start(env),
            fleet.start(env),
            fleet.startAndKill(env, between(0, 1_500)),
          ]);
          ready.push(performance.now() - began);
          expect(await migrationsIn(own.href)).toEqual(known);
          for (const server of [one, other]) {
            await stage.untilReady(server);
            server.child.kill('SIGTERM');
            expect(await server.ended).toBe(0);
          }
          await rowsIn(
            own.href,
            "insert into mikro_orm_migrations (name) values ('Migration29990101000000')",
          );
          const { code, said } = await fleet.startInVain(env);
          expect([code, said]).toEqual([
            1,
            expect.stringContaining('The database is newer than this server'),
          ]);
        }
        return ready;
      }),
    );
  },
  isLong ? 1_800_000 : 240_000,
);

/**
 * A database this far away serves so few calls that its servers, and the clients of the test, have time to
 * spare: what comes beyond is judged, not how fast this machine is.
 */
const overloadDelayMs = 50;
/** Enough that no connection of a server is ever idle. */
const clientsOfCapacity = 2 * poolConnectionsMax;
/** Calls of the quiet tenant: far fewer than its share of what is served. */
const quietPerSecond = 5;

test(
  'REL-6: at five times the rate that is served the rest is shed with 503 and Retry-After, each call is answered in time, health stays true, and a quiet tenant of another application is served',
  async () => {
    const server = first();
    const seconds = rounds(60, 4);
    const { wire } = stage.postgres;
    const quiet = newTally();
    const health: { status: number; ms: number }[] = [];
    let served = 0;
    let shed = 0;
    let capacity = 0;
    let offered = 0;

    const flood = async (): Promise<number[]> => {
      const noisy = stage.starter(server);
      const calm = stage.starter(server, 'quiet', quiet);
      // Connections are opened before it counts.
      await Promise.all(Array.from({ length: clientsOfCapacity }, () => noisy.untilAcknowledged()));
      capacity = await capacityOf(clientsOfCapacity, rounds(10, 2), () => noisy.once());
      let isOver = false;
      const every = async (ms: number, act: () => Promise<unknown>) => {
        while (!isOver) await Promise.all([act(), sleep(ms)]);
      };
      const beside = [
        atRate(quietPerSecond, seconds, () => calm.once()),
        // Where other tests run beside it, the database may take longer for a word than a ready one does.
        ...(isLong ? ['/health/live', '/health/ready'] : ['/health/live']).map((path) =>
          every(250, async () => {
            const began = performance.now();
            const { status } = await fetch(`${server.url}${path}`);
            health.push({ status, ms: performance.now() - began });
          }),
        ),
      ];
      offered = await atRate(5 * capacity, seconds, async () => {
        if (await noisy.once()) served += 1;
        else shed += 1;
      });
      isOver = true;
      const recovery = await stage.untilServed(server);
      await Promise.all(beside);
      return [recovery];
    };
    const { tally, recoveryMs } = await judge(
      stage.scenario(
        'five times the capacity',
        1,
        async () => {
          wire.delay(overloadDelayMs);
          try {
            return await flood();
          } finally {
            wire.delay(0);
          }
        },
        // Hundreds of clients in one process are late by themselves where other tests run beside them.
        { lanes: 2, answerMsMax: isLong ? undefined : 10_000 },
      ),
    );
    const told = `capacity ${capacity.toFixed(0)}/s, offered ${offered.toFixed(0)}/s, served ${served}, shed ${shed}, of the quiet tenant ${quiet.acknowledged} and ${quiet.refused}`;
    if (isLong) process.stderr.write(`${told}\n`);
    expect({ told, isOverload: offered > 4 * capacity, isShed: shed > served, lost: tally.lost }).toEqual({
      told,
      isOverload: true,
      isShed: true,
      lost: 0,
    });
    expect(new Set(health.map(({ status }) => status))).toEqual(new Set([200]));
    expect(Math.max(...health.map(({ ms }) => ms))).toBeLessThan(3_000);
    expect({ lost: quiet.lost, violations: quiet.violations }).toEqual({ lost: 0, violations: [] });
    // A machine that is busy with other tests answers late by itself.
    expect([told, quiet.refused <= (isLong ? 0 : quiet.calls / 4)]).toEqual([told, true]);
    expect(Math.max(...recoveryMs)).toBeLessThan(isLong ? 1_000 : 3_000);
    expect(server.isRunning()).toBe(true);
  },
  isLong ? 600_000 : 240_000,
);
