import { withFaults } from '../setup/statement-faults.ts';

/** Runs `work` and tells which statements reached the database meanwhile, on any connection of this process. */
export async function statementsOf(work: () => Promise<unknown>): Promise<string[]> {
  const statements: string[] = [];
  await withFaults((_, text) => {
    statements.push(text);
    return null;
  }, work);
  return statements;
}
