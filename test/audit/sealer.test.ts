import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Sealer, sealAll, startSealer } from '../../src/audit/sealer.ts';
import { dropDatabases } from '../process/databases.ts';
import { uniqueId } from '../setup/harness.ts';
import { type OwnDatabase, ownDatabase } from './own-database.ts';
import { clockAt } from './written-record.ts';

let own: OwnDatabase;
beforeAll(async () => {
  own = await ownDatabase();
});
afterAll(async () => {
  await own.close();
  await dropDatabases();
});

const clock = clockAt(new Date());
const queue = (chains: number) =>
  own.owner.pool.query(
    `insert into audit_unsealed (tenant_id, event_id, application_id, at, action, digest)
     select $1 || n, gen_random_uuid(), 'app', $2, 'tenant.updated', sha256('') from generate_series(1, $3::int) n`,
    [uniqueId('tenant'), clock.now(), chains],
  );
const countQueued = async () =>
  Number((await own.owner.pool.query('select count(*) from audit_unsealed')).rows[0].count);

describe('a sealer that is stopped', () => {
  test('ends between two seals, and leaves the rest to the next', async () => {
    await queue(100);
    let asked = 0;
    const sealed = await sealAll(own.server, clock, undefined, () => ++asked > 20);
    expect(sealed).toBeGreaterThan(0);
    expect(sealed).toBeLessThan(40);
    expect(await countQueued()).toBe(100 - sealed);
    expect(await sealAll(own.server, clock)).toBe(100 - sealed);
  });

  test('REL-3: ends at once also while others write without end', async () => {
    const writes: Promise<unknown>[] = [];
    let sealer: Sealer | undefined;
    await new Promise<void>((resolve) => {
      // Each seal is answered by two events more, as good as without end.
      sealer = startSealer(
        own.server,
        clock,
        () => {},
        () => {
          if (writes.length < 3_000) writes.push(queue(2));
          if (writes.length > 50) resolve();
          return {};
        },
      );
      writes.push(queue(20));
    });
    const began = performance.now();
    await sealer?.stop();
    expect(performance.now() - began).toBeLessThan(1_000);
    await Promise.all(writes);
    expect(await countQueued()).toBeGreaterThan(0);
    await sealAll(own.server, clock);
  });

  test('has nothing at work any more when one chain could not be sealed', async () => {
    await queue(30);
    let begun = 0;
    const failing = sealAll(own.server, clock, () => {
      begun += 1;
      if (begun === 3) throw new Error('no seal');
      return {};
    });
    await expect(failing).rejects.toThrow('no seal');
    const left = await countQueued();
    const before = begun;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect([begun, await countQueued()]).toEqual([before, left]);
    await sealAll(own.server, clock);
  });
});
