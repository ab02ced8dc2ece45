import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parser } from '@prometheus-io/lezer-promql';
import { parse } from 'yaml';
import { send } from '../http/send.ts';
import { dropDatabases } from '../process/databases.ts';
import { startProduction } from '../process/production.ts';
import { cleanUp } from '../process/servers.ts';

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; runbook: string };
}

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string }[];
}

const rules = async (): Promise<Rule[]> =>
  (parse(await read('operations/prometheus-rules.yml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
    (group) => group.rules,
  );

const panels = async (): Promise<Panel[]> =>
  (JSON.parse(await read('operations/grafana-dashboard.json')) as { panels: Panel[] }).panels;

/** Every PromQL expression of the two files; Grafana's own variables are filled in. */
const expressions = async (): Promise<string[]> => [
  ...(await rules()).map(({ expr }) => expr),
  ...(await panels())
    .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    .map((expr) => expr.replaceAll('$__rate_interval', '5m')),
];

/** What an expression names: metrics, and labels it selects or groups by. */
function namesIn(expression: string): { broken: boolean; metrics: string[]; labels: string[] } {
  const found = { broken: false, metrics: [] as string[], labels: [] as string[] };
  parser.parse(expression).iterate({
    enter({ type, from, to }) {
      const text = expression.slice(from, to);
      if (type.isError) found.broken = true;
      else if (type.name === 'Identifier') found.metrics.push(text);
      else if (type.name === 'LabelName') found.labels.push(text);
    },
  });
  return found;
}

describe('the dashboard and the alerts', () => {
  let shown: string;

  beforeAll(async () => {
    const server = await startProduction({ DATABASE_REPLICA_URLS: 'postgres://nobody@127.0.0.1:9/none' });
    await send(server, '/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await server.token()}` },
      body: '{"query":"query Named { tenant(id: \\"x\\") { id } }"}',
    });
    shown = (await send(server, '/metrics')).text;
    await server.stop();
  });
  afterAll(async () => {
    await cleanUp();
    await dropDatabases();
  });

  test('are PromQL, of metrics and labels that /metrics shows', async () => {
    const metrics = new Set([...shown.matchAll(/^(\w+)[{ ]/gm)].map(([, name]) => name));
    const labels = new Set([...shown.matchAll(/[{,](\w+)="/g)].map(([, name]) => name));
    // What Prometheus adds to every scrape.
    metrics.add('up');
    for (const label of ['job', 'instance']) labels.add(label);
    for (const expression of await expressions()) {
      const named = namesIn(expression);
      const unknown = [
        ...named.metrics.filter((name) => !metrics.has(name)),
        ...named.labels.filter((name) => !labels.has(name)),
      ];
      expect({ expression, broken: named.broken, unknown }).toEqual({
        expression,
        broken: false,
        unknown: [],
      });
      expect(named.metrics).not.toEqual([]);
    }
  });

  test('between them watch every metric of our own', async () => {
    const ours = [...shown.matchAll(/^# TYPE (cufflink_\w+)/gm)].map(([, name]) => name as string);
    const watched = (await expressions()).flatMap((expression) => namesIn(expression).metrics);
    expect(ours.filter((name) => !watched.some((each) => each.startsWith(name)))).toEqual([]);
  });
});

test('each alert says how grave it is, what is the matter, and where it stands what to do', async () => {
  const document = await read('docs/operations.md');
  const names = (await rules()).map(({ alert }) => alert);
  expect(new Set(names).size).toBe(names.length);
  for (const { alert, labels, annotations } of await rules()) {
    expect(['critical', 'warning']).toContain(labels.severity);
    expect(annotations.summary).toMatch(/\.$/);
    expect(annotations.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    expect(document).toContain(`\n### ${alert}\n`);
  }
});

test('no two panels of the dashboard share an id or a place, and each but a row shows something', async () => {
  const all = await panels();
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  const cells = all.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, n) => `${x + (n % w)},${y + Math.floor(n / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  for (const { type, targets = [] } of all) expect(targets.length > 0).toBe(type !== 'row');
});
