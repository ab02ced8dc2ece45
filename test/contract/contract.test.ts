import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { buildClientSchema, getIntrospectionQuery, type IntrospectionQuery, printSchema } from 'graphql';
import { printSdl } from '../../src/schema.ts';
import { startTestServer, type TestServer } from '../setup/harness.ts';
import { descriptionsOf, factsOf, ownFactsOf, reachable, readSdl, requiredOf } from './facts.ts';

/**
 * What of the contract later stages add, with every type that only these fields lead to.
 * An entry that is served already fails the test: this list only ever gets shorter.
 */
const notYetServed: readonly string[] = [];

const read = (name: string) => readFile(new URL(`../../schema/${name}`, import.meta.url), 'utf8');
const contract = readSdl(await read('contract.graphql'));
const committedSdl = await read('schema.graphql');
const committed = readSdl(committedSdl);

/** The type that a place belongs to. */
const typeOf = (place: string): string => /^\w+/.exec(place)?.[0] ?? place;
const isIn = (place: string, entry: string) => place === entry || place.startsWith(`${entry}(`);

describe('the contract', () => {
  const open = reachable(contract, notYetServed);
  const later = new Set([...reachable(contract, [])].filter((name) => !open.has(name)));
  const promised = [...factsOf(contract)].filter(
    ([place]) => !later.has(typeOf(place)) && !notYetServed.some((entry) => isIn(place, entry)),
  );
  const served = factsOf(committed);

  test('is kept in every name, argument, default, type, nullability, member, interface and directive', () => {
    const differing = promised
      .filter(([place, fact]) => served.get(place) !== fact)
      .map(([place, fact]) => `${place}: ${fact}, served: ${served.get(place) ?? 'nothing'}`);
    expect(differing).toEqual([]);
  });

  test('asks no argument or input field that it does not know', () => {
    const known = factsOf(contract);
    const asked = requiredOf(committed).filter(({ at }) => known.has(at));
    expect(asked.filter(({ place }) => !known.has(place))).toEqual([]);
  });

  test('lists as not yet served only what it has and what is not served', () => {
    const known = factsOf(contract);
    expect(notYetServed.filter((place) => !known.has(place))).toEqual([]);
    expect(notYetServed.filter((place) => served.has(place))).toEqual([]);
  });

  test('lets no type wait that something served leads to', () => {
    expect([...later].filter((name) => served.has(name))).toEqual([]);
  });
});

describe('the SDL', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server.stop());

  test('describes every type, field, argument, input field and enum value', () => {
    const blank = Object.entries(descriptionsOf(committed)).filter(([, text]) => !text?.trim());
    expect(blank.map(([place]) => place)).toEqual([]);
  });

  test('is committed as the code prints it', () => {
    expect(printSdl()).toBe(committedSdl);
  });

  test('is what a gateway is told', async () => {
    const { data } = await server
      .callerWith(null)
      .call<{ _service: { sdl: string } }, object>('{ _service { sdl } }');
    const told = readSdl(data._service.sdl);
    expect(ownFactsOf(told)).toEqual(ownFactsOf(committed));
    expect(descriptionsOf(told)).toMatchObject(descriptionsOf(committed));
  });

  test('is what introspection tells', async () => {
    const { data } = await server.callerWith(null).call<IntrospectionQuery, object>(getIntrospectionQuery());
    const told = readSdl(printSchema(buildClientSchema(data)));
    // Introspection knows no applied directives.
    const known = [...ownFactsOf(committed)].filter(([place]) => !place.includes('@'));
    expect(ownFactsOf(told)).toEqual(new Map(known));
    expect(descriptionsOf(told)).toMatchObject(descriptionsOf(committed));
  });
});
