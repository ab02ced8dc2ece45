import { setTimeout as sleep } from 'node:timers/promises';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { drainSeconds } from '../../src/shared/limits.ts';
import {
  CreateApplicationDocument,
  CreateTenantDocument,
  CreateWebhookEndpointDocument,
  UpdateApplicationMfaPolicyDocument,
} from '../generated/documents.ts';
import { callGraphQl, uniqueId } from '../setup/harness.ts';
import { FaultCaller, newTally, type Tally } from './caller.ts';
import { type FaultyServer, type Fleet, makeFleet } from './fleet.ts';
import { brokenInvariants, brokenRecord, missing } from './invariants.ts';
import { type Callers, Lane } from './lane.ts';
import { type FaultyPostgres, startFaultyPostgres } from './postgres.ts';
import { Recorder } from './recorder.ts';
import type { Scenario } from './report.ts';
import { Starter } from './starter.ts';

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
    clients?: { lanes?: number; answerMsMax?: number | undefined },
  ): Promise<Scenario>;
  /**
   * Who starts steps of a tenant on one server.
   * @param of that tenant is of the clients' application, or of another, which is quiet
   * @param tally the running scenario's unless another is given
   */
  starter(server: FaultyServer, of?: 'clients' | 'quiet', tally?: Tally): Starter;
  /** @returns milliseconds until a server says that it is ready */
  untilReady(server: FaultyServer): Promise<number>;
  /** @returns milliseconds until a server has acknowledged a change, and says that it is ready */
  untilServed(server: FaultyServer): Promise<number>;
  /** @returns the status with which a server says that it is leaving */
  untilUnready(server: FaultyServer): Promise<number>;
  close(): Promise<void>;
}

/** Looks at the invariants between two that recompute the whole record, too, and tell how far it has come. */
const checksPerVerification = 10;

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
  const ask = async <Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables) => {
    const { data, errors } = await callGraphQl(first.url, admin, document, variables);
    const [result] = Object.values(data ?? {}) as { __typename: string }[];
    if (!result?.__typename.endsWith('Payload')) throw new Error(JSON.stringify({ result, errors }));
  };
  /** An application whose users must enroll, and a tenant of it. */
  const newApplication = async (displayName: string) => {
    const applicationId = uniqueId('app');
    const tenantId = uniqueId('tenant');
    await ask(CreateApplicationDocument, { input: { id: applicationId, displayName } });
    await ask(UpdateApplicationMfaPolicyDocument, {
      input: {
        applicationId,
        policy: { totpEnabled: true, recoveryCodesEnabled: true, enrollment: 'REQUIRED' },
      },
    });
    await ask(CreateTenantDocument, { input: { id: tenantId, applicationId, displayName } });
    const scope = 'mfa-workflow:execute';
    const service = await fleet.token({ sub: 'sign-in', scope, application_id: applicationId });
    return { applicationId, tenantId, service };
  };
  const clients = await newApplication('Faults');
  const quiet = await newApplication('Quiet');
  const { applicationId, service } = clients;
  // Nobody answers there: what is queued stays, to be counted.
  await ask(CreateWebhookEndpointDocument, { input: { applicationId, url: 'https://hooks.invalid/' } });
  const callers: Callers = { applicationId, admin, service };
  const recorder = new Recorder();
  let running: { tally: Tally; answerMsMax: number | undefined } = {
    tally: newTally(),
    answerMsMax: undefined,
  };

  const stage: Stage = {
    postgres,
    fleet,
    servers,
    callers,
    async scenario(name, rounds, act, { lanes = 8, answerMsMax } = {}) {
      const tally = newTally();
      running = { tally, answerMsMax };
      const caller = new FaultCaller(() => servers.map(({ url }) => url), tally, answerMsMax);
      let isOver = false;
      const broken: string[] = [];
      let checks = 0;
      let verifications = 0;
      const verify = async () => {
        broken.push(...(await brokenRecord(postgres.directUrl())));
        verifications += 1;
      };
      const check = async () => {
        // What was acknowledged up to here must be there by now, also while others go on.
        const acknowledged = recorder.all();
        broken.push(...(await brokenInvariants(postgres)), ...(await missing(postgres, acknowledged)));
        checks += 1;
        if (checks % checksPerVerification !== 0) return;
        // What takes hours may be cut short: it is not left to the end.
        await verify();
        if (!tells) return;
        const faults = tally.violations.length + broken.length;
        process.stderr.write(
          `${name}: ${checks} checks, ${verifications} verifications, ${tally.acknowledged} acknowledged, ${faults} violations ${
            [...tally.violations, ...broken][0] ?? ''
          }\n`,
        );
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
      await verify();
      return { name, rounds, tally, verifications, broken: [...new Set(broken)], recoveryMs };
    },
    starter(server, of = 'clients', tally = running.tally) {
      const { service: token, tenantId } = of === 'clients' ? clients : quiet;
      const caller = new FaultCaller(() => [server.url], tally, running.answerMsMax);
      return new Starter(caller, recorder, token, tenantId);
    },
    async untilServed(server) {
      return Math.max(
        ...(await Promise.all([stage.starter(server).untilAcknowledged(), stage.untilReady(server)])),
      );
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
  return stage;
}
