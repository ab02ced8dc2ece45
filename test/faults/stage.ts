import { setTimeout as sleep } from 'node:timers/promises';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { drainSeconds } from '../../src/shared/limits.ts';
import {
  CreateApplicationDocument,
  CreateWebhookEndpointDocument,
  UpdateApplicationMfaPolicyDocument,
} from '../generated/documents.ts';
import { callGraphQl, uniqueId } from '../setup/harness.ts';
import { FaultCaller, newTally } from './caller.ts';
import { type FaultyServer, type Fleet, makeFleet } from './fleet.ts';
import { brokenInvariants, brokenRecord, missing } from './invariants.ts';
import { type Callers, Lane } from './lane.ts';
import { type FaultyPostgres, startFaultyPostgres } from './postgres.ts';
import { Recorder } from './recorder.ts';
import type { Scenario } from './report.ts';

/** A database, its servers, and clients that never stop calling. */
export interface Stage {
  postgres: FaultyPostgres;
  fleet: Fleet;
  /** Those that clients call. */
  servers: FaultyServer[];
  callers: Callers;
  /**
   * Runs `act` under load, and judges what it left behind.
   * @param act answers recovery times; `check`, once a round, looks at what must hold at every moment
   */
  scenario(
    name: string,
    rounds: number,
    act: (check: () => Promise<void>) => Promise<number[]>,
    clients?: { lanes?: number; answerMsMax?: number },
  ): Promise<Scenario>;
  /** @returns milliseconds until a server says that it is ready */
  untilReady(server: FaultyServer): Promise<number>;
  /** @returns the status with which a server says that it is leaving */
  untilUnready(server: FaultyServer): Promise<number>;
  close(): Promise<void>;
}

/** Looks at the invariants between two lines that tell how far it has come. */
const checksPerLine = 10;

/** @param tells writes how far a scenario has come: a long one that is cut short leaves its figures */
export async function setStage(tells: boolean): Promise<Stage> {
  const postgres = await startFaultyPostgres();
  const fleet = await makeFleet(postgres.url);
  const first = await fleet.start();
  const servers = [first];
  const admin = await fleet.token({
    sub: 'admin',
    scope: 'application:write tenant:write mfa-policy:read mfa-policy:write',
  });
  const applicationId = uniqueId('app');
  const ask = async <Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables) => {
    const { data, errors } = await callGraphQl(first.url, admin, document, variables);
    const [result] = Object.values(data ?? {}) as { __typename: string }[];
    if (!result?.__typename.endsWith('Payload')) throw new Error(JSON.stringify({ result, errors }));
  };
  await ask(CreateApplicationDocument, { input: { id: applicationId, displayName: 'Faults' } });
  await ask(UpdateApplicationMfaPolicyDocument, {
    input: {
      applicationId,
      policy: { totpEnabled: true, recoveryCodesEnabled: true, enrollment: 'REQUIRED' },
    },
  });
  // Nobody answers there: what is queued stays, to be counted.
  await ask(CreateWebhookEndpointDocument, { input: { applicationId, url: 'https://hooks.invalid/' } });
  const callers: Callers = {
    applicationId,
    admin,
    service: await fleet.token({
      sub: 'sign-in',
      scope: 'mfa-workflow:execute',
      application_id: applicationId,
    }),
  };
  const recorder = new Recorder();

  return {
    postgres,
    fleet,
    servers,
    callers,
    async scenario(name, rounds, act, { lanes = 8, answerMsMax } = {}) {
      const tally = newTally();
      const caller = new FaultCaller(() => servers.map(({ url }) => url), tally, answerMsMax);
      let isOver = false;
      const broken: string[] = [];
      let checks = 0;
      const check = async () => {
        // What was acknowledged up to here must be there by now, also while others go on.
        const acknowledged = recorder.all();
        broken.push(...(await brokenInvariants(postgres)), ...(await missing(postgres, acknowledged)));
        checks += 1;
        if (tells && checks % checksPerLine === 0) {
          const faults = tally.violations.length + broken.length;
          process.stderr.write(
            `${name}: ${checks} checks, ${tally.acknowledged} acknowledged, ${faults} violations ${
              [...tally.violations, ...broken][0] ?? ''
            }\n`,
          );
        }
      };
      const working = Promise.all(
        Array.from({ length: lanes }, () => new Lane(caller, callers, recorder).work(() => isOver)),
      );
      let recoveryMs: number[];
      try {
        // A lane that fails must not wait for the end to be heard of.
        recoveryMs = await Promise.race([act(check), working.then(() => [])]);
      } finally {
        isOver = true;
      }
      await working;
      // The sealer works once a second.
      await sleep(1_500);
      await check();
      broken.push(...(await brokenRecord(postgres.directUrl())));
      return { name, rounds, tally, broken: [...new Set(broken)], recoveryMs };
    },
    async untilReady({ url }) {
      const began = performance.now();
      for (;;) {
        const response = await fetch(`${url}/health/ready`).catch(() => null);
        if (response?.ok) return performance.now() - began;
        await sleep(10);
      }
    },
    async untilUnready({ url }) {
      for (let asked = performance.now(); ; asked = performance.now()) {
        try {
          const { ok, status } = await fetch(`${url}/health/ready`);
          if (!ok) return status;
          await sleep(10);
        } catch (error) {
          // Who looks away for as long as it says so finds it gone.
          if (performance.now() - asked < (drainSeconds * 1000) / 2) throw error;
          return 503;
        }
      }
    },
    async close() {
      await fleet.close();
      await postgres.close();
      recorder.close();
    },
  };
}
