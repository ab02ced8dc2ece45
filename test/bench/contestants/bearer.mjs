import { createLocalJWKSet, jwtVerify } from 'jose';

const keys = createLocalJWKSet(JSON.parse(process.env.BENCH_JWKS));
const options = {
  issuer: process.env.BENCH_ISSUER,
  audience: process.env.BENCH_AUDIENCE,
  algorithms: ['ES256'],
  requiredClaims: ['iat', 'exp', 'sub'],
};

/** What the peers do with a bearer token: check it whole, and look for the scope. @throws where it is not good */
export async function verifyBearer(authorization) {
  const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1] ?? '';
  const { payload } = await jwtVerify(token, keys, options);
  if (!payload.scope.split(' ').includes('mfa-policy:read')) throw new Error('The scope is missing.');
}

/** The same as a hook of Fastify. */
export async function requireBearer(request, reply) {
  try {
    await verifyBearer(request.headers.authorization);
  } catch {
    return reply.code(401).send({ errors: [{ message: 'UNAUTHENTICATED' }] });
  }
}
