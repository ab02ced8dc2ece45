import { randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import { serverRole } from '../../src/audit/append-only.ts';
import { inRole } from '../../src/db/connection.ts';
import { keySet, startKeyServer } from '../caller/key-server.ts';
import { goodClaims, makeKey, signed } from '../caller/tokens.ts';
import { audience, issuer, TestClock } from '../setup/harness.ts';
import { newMigratedDatabase } from './databases.ts';
import { newFolder, type ServerOptions, startProcess } from './servers.ts';

/** A server in production mode: the built one, a process of its own, on a database of its own. */
export interface ProductionServer {
  url: string;
  databaseUrl: string;
  /** A bearer token of the configured issuer, with these claims over good ones. */
  token(claims?: Record<string, unknown>): Promise<string>;
  /** What it printed and logged so far. */
  output(): string;
  /** Ends the process and its issuer; `cleanUp` and `dropDatabases` see to the rest. */
  stop(): Promise<void>;
}

/**
 * @param more settings beside those that production asks for, or instead of them
 * @param program instead of the built server in a folder of its own
 */
export async function startProduction(
  more: Record<string, string> = {},
  program: Partial<Pick<ServerOptions, 'folder' | 'command'>> = {},
): Promise<ProductionServer> {
  const databaseUrl = await newMigratedDatabase();
  const key = await makeKey();
  const keyServer = await startKeyServer(keySet(key.jwk));
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const server = startProcess({
    folder: await newFolder('production'),
    ...program,
    env: {
      NODE_ENV: 'production',
      DATABASE_URL: inRole(databaseUrl, serverRole),
      JWT_ISSUER: issuer,
      JWT_AUDIENCE: audience,
      JWT_JWKS_URL: `${keyServer.url}/jwks`,
      ENCRYPTION_KEYS: `test:${randomBytes(32).toString('base64')}`,
      ASSERTION_KEY: JSON.stringify(await exportJWK(privateKey)),
      PUBLIC_URL: 'https://mfa.test',
      ...more,
    },
  });
  return {
    url: await server.ready(),
    databaseUrl,
    token: (claims) => signed(key, { ...goodClaims(new TestClock()), ...claims }),
    output: () => server.stdout() + server.stderr(),
    async stop() {
      server.kill('SIGTERM');
      await server.ended();
      await keyServer.stop();
    },
  };
}
