import 'reflect-metadata';
import { databaseLayout } from '../database-layout.ts';
import { databaseSchema } from '../database-schema.ts';
import { CannotDistribute, type DistributionPlan, distribute } from '../db/distribute.ts';
import { ownerUrl } from './owner-database.ts';
import { CommandRefused, runCommand } from './run-command.ts';

const help = `Distributes the tables of DATABASE_URL over the nodes of a database that has the citus extension.

  npm run db:distribute -- [--plan] [--shards N]

  --plan       only tells what would be done
  --shards N   shards of a database that is not distributed yet; by default what the extension is set to
  --help       this text

DATABASE_URL must be that of the tables' owner, on the coordinator; DATABASE_DIRECT_URL goes before it. It is done as a whole or not at all, and may
be repeated. Servers need not be stopped, but answer UNAVAILABLE until it is done.
`;

await runCommand(
  {
    name: 'db:distribute',
    help,
    options: { plan: { type: 'boolean', default: false }, shards: { type: 'string' } },
    refusals: [CannotDistribute],
  },
  async (values) => {
    const shards = values.shards === undefined ? {} : { shards: shardsOf(values.shards) };
    const url = ownerUrl();
    if (url === undefined) {
      throw new CommandRefused('DATABASE_URL is required: the embedded database has one node.');
    }
    const plan = await distribute(url, databaseSchema, databaseLayout, {
      ...shards,
      isPlan: values.plan,
      onStep: (line) => console.log(line),
    });
    console.log(values.plan ? planText(plan) : doneText(plan));
  },
);

function shardsOf(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new CommandRefused('--shards must be a number from 1 to 9999.');
  return Number(text);
}

function planText({
  nodes,
  shards,
  reference,
  distributed,
  foreignKeys,
  done,
  copies,
}: DistributionPlan): string {
  if (reference.length + distributed.length + copies.length === 0) {
    return `Nothing to do: ${done.length} tables lie in ${shards} shards on ${nodes} nodes.`;
  }
  return [
    `On ${nodes} nodes, in ${shards} shards, this would be done:`,
    ...reference.map((table) => `  ${table}: a copy on every node`),
    ...distributed.map(({ table, by }) => `  ${table}: distributed by ${by}`),
    ...foreignKeys.map(({ table, name }) => `  ${table}: ${name} is taken off and put back`),
    ...copies.map((table) => `  ${table}: the copy from before is removed`),
    ...done.map((table) => `  ${table}: stays as it is`),
  ].join('\n');
}

function doneText({ nodes, shards, reference, distributed, done }: DistributionPlan): string {
  const changed = reference.length + distributed.length;
  return changed === 0
    ? `Nothing was left to do: ${done.length} tables lie in ${shards} shards on ${nodes} nodes.`
    : `Distributed ${changed} tables in ${shards} shards over ${nodes} nodes.`;
}
