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

  private constructor(key: CryptoKey, publicJwk: JWK & { kid: string }) {
    this.#key = key;
    this.#kid = publicJwk.kid;
    this.keys = { keys: [publicJwk] };
  }

  /** @param jwk a private P-256 key; without a kid its thumbprint [RFC 7638] serves */
  static async of(jwk: JWK): Promise<SigningKey> {
    const { kty, crv, x, y } = jwk;
    const publicJwk = { kty, crv, x, y } as JWK;
    const kid = jwk.kid ?? (await calculateJwkThumbprint(publicJwk));
    const key = (await importJWK({ ...jwk }, 'ES256')) as CryptoKey;
    return new SigningKey(key, { ...publicJwk, kid, alg: 'ES256', use: 'sig' });
  }

  /** @param typ the header's typ, so that one kind of token never passes for another [RFC 8725 3.11] */
  sign(typ: string, claims: Record<string, unknown>): Promise<string> {
    return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ, kid: this.#kid }).sign(this.#key);
  }
}
