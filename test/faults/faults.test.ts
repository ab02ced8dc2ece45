import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { poolConnectionsMax } from '../../src/shared/limits.ts';
import type { FaultyServer } from './fleet.ts';
import { type Scenario, tableOf } from './report.ts';
import { type Stage, setStage } from './stage.ts';

/*
 * What is promised while things break: real servers in production mode, a real PostgreSQL that writes to
 * disk, and clients that write down what was acknowledged before anybody judges. A few rounds in `npm test`;
 * `npm run test:faults` runs the long form and prints docs/reliability.md's table.
 */

const isLong = process.env['FAULTS'] === 'long';
const rounds = (long: number, short: number) => (isLong ? long : short);
const outageMs = rounds(10_000, 3_500);
/** A server's pool has so many connections; more clients only wait. */
const clientsOfCapacity = poolConnectionsMax;

let stage: Stage;
const scenarios: Scenario[] = [];
beforeAll(async () => {
  stage = await setStage();
}, 120_000);
afterAll(async () => {
  if (isLong) process.stderr.write(`\n${tableOf(scenarios)}\n\n`);
  await stage?.close();
}, 60_000);

const between = (least: number, most: number): number => least + Math.random() * (most - least);
const first = (): FaultyServer => stage.servers[0] as FaultyServer;

async function judge(scenario: Promise<Scenario>): Promise<Scenario> {
  const judged = await scenario;
  scenarios.push(judged);
  const { name, tally, broken } = judged;
  expect({ name, violations: tally.violations, broken }).toEqual({ name, violations: [], broken: [] });
  expect(tally.acknowledged).toBeGreaterThan(0);
  return judged;
}

/** Kills the server and starts the next. @returns milliseconds from its start until it is ready */
async function replace(env: Record<string, string> = {}): Promise<number> {
  first().child.kill('SIGKILL');
  await first().ended;
  const began = performance.now();
  stage.servers[0] = await stage.fleet.start(env);
  await stage.untilReady(first());
  return performance.now() - began;
}

test(
  'REL-1: killed at any moment under load, nothing acknowledged is lost, nothing half done, the next start works',
  async () => {
    const times = rounds(300, 2);
    await judge(
      stage.scenario('kill -9 at any moment', times, async () => {
        const recovery: number[] = [];
        for (let n = 0; n < times; n += 1) {
          await sleep(between(0, 1_500));
          recovery.push(await replace());
        }
        return recovery;
      }),
    );
  },
  rounds(5_400_000, 240_000),
);

/** Statements by a part of their text that no other has. */
const crashPoints: Record<string, string> = {
  'a step is opened': 'insert into mfa_steps',
  'an attempt is reserved': 'insert into users (tenant_id, id, created_at, "totp_failures")',
  'a code is spent': 'update auth_factors set spent',
  'a factor is confirmed': 'insert into auth_factors',
  'a recovery code is redeemed': 'delete from auth_factors',
  'a step is finished': 'set finished_at',
  'a policy is changed': 'update policy_feed',
  'a tenant is made': 'insert into "tenants"',
  'the record is sealed': 'insert into audit_seals',
};

test(
  'REL-1: killed while a statement is on its way, the statement is done as a whole or not at all',
  async () => {
    const times = rounds(10, 1);
    const points = Object.entries(crashPoints).filter((_, n) => isLong || n % 3 === 0);
    const { wire } = stage.postgres;
    // What is prepared is named by a number on the wire.
    await replace({ PREPARED_STATEMENTS: 'off' });
    await judge(
      stage.scenario('kill -9 at named statements', times * points.length, async () => {
        const recovery: number[] = [];
        for (const [, text] of points) {
          for (let n = 0; n < times; n += 1) {
            await new Promise<void>((resolve) => {
              wire.watch((sent) => {
                if (!sent.includes(text)) return false;
                wire.watch(null);
                // Every other time before the statement is sent, else while it is carried out.
                if (n % 2 === 1) setTimeout(() => first().child.kill('SIGKILL'), between(0, 3));
                else first().child.kill('SIGKILL');
                resolve();
                return false;
              });
            });
            recovery.push(await replace({ PREPARED_STATEMENTS: 'off' }));
          }
        }
        return recovery;
      }),
    );
    await replace();
  },
  rounds(3_600_000, 240_000),
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

/** The short form has one of each way to fail: gone, silent, unreachable. */
const chosen = isLong ? outages : outages.filter((_, n) => [1, 3, 4].includes(n));

test.each(chosen)(
  'REL-2: %s: every call is answered within 3 s, the server lives, and serves within 1 s of the database',
  async (name, outage) => {
    const times = rounds(10, 1);
    const server = first();
    const { recoveryMs } = await judge(
      stage.scenario(name, times, async () => {
        const recovery: number[] = [];
        for (let n = 0; n < times; n += 1) {
          await sleep(between(500, 1_500));
          await outage(stage);
          recovery.push(await stage.untilReady(server));
        }
        return recovery;
      }),
    );
    expect(server.isRunning()).toBe(true);
    expect(Math.max(...recoveryMs)).toBeLessThan(1_000);
  },
  rounds(900_000, 120_000),
);

test(
  'REL-2: a connection cut while a statement is carried out: a repeated call tells what became of it, and nothing happens twice',
  async () => {
    const times = rounds(500, 25);
    const { wire } = stage.postgres;
    await judge(
      stage.scenario('the answer of a statement is lost', times, async () => {
        for (let n = 0; n < times; n += 1) {
          await sleep(between(20, 120));
          // One of the next statements, whichever it is.
          let left = Math.floor(between(1, 10));
          wire.watch(() => {
            left -= 1;
            if (left > 0) return false;
            wire.watch(null);
            return true;
          });
        }
        return [];
      }),
    );
    wire.watch(null);
  },
  rounds(900_000, 120_000),
);

test(
  'REL-3: SIGTERM under load: accepted requests finish, exit 0 within 10 s',
  async () => {
    const times = rounds(50, 1);
    await judge(
      stage.scenario('SIGTERM under load', times, async () => {
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
        }
        return exits;
      }),
    );
    expect(Math.max(...(scenarios.at(-1)?.recoveryMs ?? []))).toBeLessThan(10_000);
  },
  rounds(1_800_000, 240_000),
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
        async () => {
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
          }
          return [];
        },
        { lanes: 2 },
      ),
    );
    expect({ lost: tally.lost, refused: tally.refused }).toEqual({ lost: 0, refused: 0 });
    for (const surplus of stage.servers.splice(1)) surplus.child.kill('SIGTERM');
  },
  rounds(1_800_000, 240_000),
);

test(
  'REL-6: five times as many clients as the server has room for: each is answered, health stays true, and it serves at once after',
  async () => {
    const server = first();
    const seconds = rounds(60, 4);
    const health: number[] = [];
    await judge(
      stage.scenario(
        'five times the capacity',
        1,
        async () => {
          for (let n = 0; n < seconds * 2; n += 1) {
            const began = performance.now();
            expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
            health.push(performance.now() - began);
            await sleep(500);
          }
          return [];
        },
        // What waits outside for its turn is not the server's time.
        { lanes: clientsOfCapacity * 5, answerMsMax: 10_000 },
      ),
    );
    expect(Math.max(...health)).toBeLessThan(3_000);
    expect(await stage.untilReady(server)).toBeLessThan(1_000);
    expect(server.isRunning()).toBe(true);
  },
  rounds(600_000, 240_000),
);
