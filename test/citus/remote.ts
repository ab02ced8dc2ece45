import { jest } from '@jest/globals';
import pg from 'pg';

/*
 * What a statement does on the nodes: its plan, and the commands that the coordinator sent for it.
 */

/** A statement as it was carried out. */
export interface Watched {
  text: string;
  /** The plan's lines, as they stood before it was carried out. */
  plan: string[];
  /** What was sent to nodes. */
  commands: string[];
}

type Query = (this: pg.Client, ...args: unknown[]) => Promise<{ rows: Record<string, string>[] }>;

const isControl = /^\s*(begin|commit|rollback|set|start|listen|select position)/i;

/**
 * Tells of every statement that this process sends while it works. Connections are made to tell what they
 * send on, so this must see their first statement.
 */
export async function watch(url: string, work: () => Promise<unknown>): Promise<Watched[]> {
  const watched: Watched[] = [];
  const beside = new pg.Client({ connectionString: url });
  await beside.connect();
  const query = pg.Client.prototype.query as unknown as Query;
  const listening = new WeakMap<pg.Client, { commands: string[] }>();
  const watching: Query = async function watching(...args) {
    const [asked, given] = args as [string | { text: string; values?: unknown[] }, unknown[] | undefined];
    const text = typeof asked === 'string' ? asked : asked.text;
    const values = typeof asked === 'string' ? given : asked.values;
    if (this === beside || typeof text !== 'string' || isControl.test(text)) return query.apply(this, args);
    let heard = listening.get(this);
    if (heard === undefined) {
      const now = { commands: [] as string[] };
      heard = now;
      listening.set(this, now);
      this.on('notice', ({ message }) => {
        if (message?.startsWith('issuing ')) now.commands.push(message.slice('issuing '.length));
      });
      await query.call(this, 'set client_min_messages = notice');
      await query.call(this, 'set citus.log_remote_commands = on');
    }
    heard.commands = [];
    const listener = heard;
    const { rows } = await query.call(beside, `explain (costs off) ${text}`, values ?? []);
    const plan = rows.map((row) => row['QUERY PLAN'] ?? '');
    const result = await query.apply(this, args);
    watched.push({ text, plan, commands: listener.commands });
    return result;
  };
  const spy = jest
    .spyOn(pg.Client.prototype, 'query')
    .mockImplementation(watching as unknown as typeof pg.Client.prototype.query);
  try {
    await work();
  } finally {
    spy.mockRestore();
    await beside.end();
  }
  return watched;
}
