export const isDistributed: boolean;
/** @param server address of any database of it */
export function createDatabase(server: string, name: string): Promise<void>;
export function copyDatabase(server: string, from: string, name: string): Promise<void>;
export function dropDatabase(server: string, name: string): Promise<void>;
