// npm run bench: the service beside its peers, on one PostgreSQL; README.md says what is compared with what.
//   --only reads|mfa|growth   --rounds N (5)   --seconds N   of one slice (5)   --tenants N (1000)
//   --largest N   tenants that growth goes up to (1000000), at least 100000   --json FILE
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { openGround } from './data.mjs';
import { compareGrowth } from './growth.mjs';
import { compareMfaSteps } from './mfa.mjs';
import { endAll, startLoad } from './processes.mjs';
import { compareReads } from './reads.mjs';
import { machine, printGoals } from './report.mjs';

const questions = { reads: compareReads, mfa: compareMfaSteps, growth: compareGrowth };
const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    tenants: { type: 'string', default: '1000' },
    largest: { type: 'string', default: '1000000' },
    json: { type: 'string' },
  },
});
const options = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  tenants: Number(values.tenants),
  largest: Number(values.largest),
  warmUpSeconds: Math.min(5, Number(values.seconds)),
  connections: 32,
  sizes: [1, 50, 200],
};
const asked = values.only?.split(',') ?? Object.keys(questions);
const unknown = asked.find((name) => !questions[name]);
if (unknown)
  throw new Error(`--only takes ${Object.keys(questions).join(', ')}; ${unknown} is none of them.`);

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => finish(130));
let isFinishing = false;
const opening = openGround();
try {
  const ground = await opening;
  const before = machine();
  console.log(
    `${before.cores} cores (${before.model}), ${before.memoryGb} GB, Node.js ${before.node}; load before: ${before.load.toFixed(1)}.`,
    `\n${options.connections} connections, ${options.rounds} rounds of ${options.seconds} s each, ${options.tenants} tenants.`,
  );
  const results = [];
  for (const name of asked) {
    const load = startLoad();
    results.push(...(await questions[name](ground, load, options)));
    await load.stop();
  }
  printGoals(results.flatMap(({ goals }) => goals));
  const after = machine();
  console.log(`\nLoad after: ${after.load.toFixed(1)}, of which the bench itself is the most.`);
  if (values.json) {
    await writeFile(values.json, `${JSON.stringify({ before, after, options, results }, null, 2)}\n`);
  }
  await finish(0);
} catch (error) {
  if (!isFinishing) {
    console.error(error);
    await finish(1);
  }
}

/** Ends every process, removes the data, and then this process. */
async function finish(code) {
  if (isFinishing) return;
  isFinishing = true;
  await endAll();
  const ground = await opening.catch(() => null);
  await ground?.close();
  process.exit(code);
}
