import {
  type CryptoKey,
  calculateJwkThumbprint,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  SignJWT,
} from 'jose';

/** Signs JWTs with ES256 [RFC 7518 section 3.4], and publishes what checks them. */
export class SigningKey {
  readonly #key: CryptoKey;
  readonly #kid: string;
  readonly keys: JSONWebKeySet;

  private constructor(key: CryptoKey, kid: string, keys: JWK[]) {
    this.#key = key;
    this.#kid = kid;
    this.keys = { keys };
  }

  /**
   * @param jwk a private P-256 key; without a kid its thumbprint [RFC 7638] serves
   * @param published further keys, of which the public half is published: those before and after it
   */
  static async of(jwk: JWK, published: readonly JWK[] = []): Promise<SigningKey> {
    const publicJwk = await publicHalf(jwk);
    const others = await Promise.all(published.map(publicHalf));
    const key = (await importJWK({ ...jwk }, 'ES256')) as CryptoKey;
    return new SigningKey(key, publicJwk.kid, [publicJwk, ...others]);
  }

  /** @param typ the header's typ, so that one kind of token never passes for another [RFC 8725 3.11] */
  sign(typ: string, claims: Record<string, unknown>): Promise<string> {
    return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ, kid: this.#kid }).sign(this.#key);
  }
}

/** Named one by one: what else a JWK holds is not for others. */
async function publicHalf(jwk: JWK): Promise<JWK & { kid: string }> {
  const { kty, crv, x, y } = jwk;
  const half = { kty, crv, x, y } as JWK;
  return { ...half, kid: jwk.kid ?? (await calculateJwkThumbprint(half)), alg: 'ES256', use: 'sig' };
}
