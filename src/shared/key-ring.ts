import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

/** A secret as it is stored: sealed or digested, with the id of the key that did it. */
export interface KeptSecret {
  keyId: string;
  bytes: Buffer;
}

/** A secret was kept under a key that this server was not given. */
class UnknownKey extends Error {
  override name = 'UnknownKey';

  constructor(keyId: string) {
    super(`ENCRYPTION_KEYS has no key with the id ${keyId}.`);
  }
}

const nonceBytes = 12;
const tagBytes = 16;
const markBytes = 16;

/**
 * The keys that seal secrets at rest. The first seals, all open.
 *
 * Each use has a key of its own, derived by HKDF [RFC 5869], so that a digest says nothing about a
 * ciphertext. What is sealed is bound to its place: moved to another row, it does not open.
 */
export class KeyRing {
  readonly #sealing: ReadonlyMap<string, Buffer>;
  readonly #digesting: ReadonlyMap<string, Buffer>;
  readonly #marking: ReadonlyMap<string, Buffer>;
  readonly #first: string;

  /** @param keys 32 bytes each; at least one */
  constructor(keys: readonly { id: string; key: Buffer }[]) {
    const [first] = keys;
    if (first === undefined) throw new Error('A key ring needs a key.');
    const derive = (use: string) =>
      new Map(
        keys.map(({ id, key }) => [id, Buffer.from(hkdfSync('sha256', key, '', `cufflink ${use}`, 32))]),
      );
    this.#sealing = derive('seal');
    this.#digesting = derive('digest');
    this.#marking = derive('mark');
    this.#first = first.id;
  }

  /** The key that seals. */
  get firstId(): string {
    return this.#first;
  }

  /** Whether what a key sealed or digested can be opened or recognized. */
  has(keyId: string): boolean {
    return this.#sealing.has(keyId);
  }

  /** AES-256-GCM with a fresh nonce. @param place what the secret belongs to, as additional data */
  seal(secret: Uint8Array, place: string): KeptSecret {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', keyOf(this.#sealing, this.#first), nonce);
    cipher.setAAD(Buffer.from(place));
    const bytes = Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
    return { keyId: this.#first, bytes };
  }

  /** @throws UnknownKey; an error of node:crypto when the secret was altered or belongs elsewhere */
  open({ keyId, bytes }: KeptSecret, place: string): Buffer {
    const decipher = createDecipheriv(
      'aes-256-gcm',
      keyOf(this.#sealing, keyId),
      bytes.subarray(0, nonceBytes),
      { authTagLength: tagBytes },
    );
    decipher.setAAD(Buffer.from(place));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]);
  }

  /** HMAC-SHA-256, for secrets that need only be recognized. @param keyId the first key's unless given */
  digest(secret: string, place: string, keyId: string = this.#first): KeptSecret {
    const bytes = createHmac('sha256', keyOf(this.#digesting, keyId))
      .update(JSON.stringify([place, secret]))
      .digest();
    return { keyId, bytes };
  }

  /** What only servers with these keys can write beside a text: 128 bits of HMAC-SHA-256. No secret itself. */
  mark(text: string): string {
    return markBy(keyOf(this.#marking, this.#first), text).toString('base64url');
  }

  /** Whether one of the keys made the mark. */
  isMarked(text: string, mark: string): boolean {
    const given = Buffer.from(mark, 'base64url');
    if (given.length !== markBytes) return false;
    return [...this.#marking.values()].some((key) => timingSafeEqual(markBy(key, text), given));
  }
}

const markBy = (key: Buffer, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest().subarray(0, markBytes);

function keyOf(keys: ReadonlyMap<string, Buffer>, id: string): Buffer {
  const key = keys.get(id);
  if (key === undefined) throw new UnknownKey(id);
  return key;
}
