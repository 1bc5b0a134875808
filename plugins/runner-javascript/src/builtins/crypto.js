// The part of node's crypto that programs use without wanting secrets: digests, and ids that come out the same in every run.

import { Buffer } from "buffer";
import { sha256, sha512 } from "@noble/hashes/sha2";
import { md5, sha1 } from "@noble/hashes/legacy";
import { hmac } from "@noble/hashes/hmac";

const HASHES = { sha256, sha512, sha1, md5 };
const bytesOf = (data, encoding) => (typeof data === "string" ? Buffer.from(data, encoding) : data);

function pick(name) {
  const found = HASHES[String(name).toLowerCase().replace("-", "")];
  if (found) return found;
  const error = new Error(`Digest method not supported: ${name}`);
  error.code = "ERR_CRYPTO_INVALID_DIGEST";
  throw error;
}

class Digest {
  constructor(state) { this._state = state; }
  update(data, encoding) { this._state.update(bytesOf(data, encoding)); return this; }
  digest(encoding) { const bytes = Buffer.from(this._state.digest()); return encoding && encoding !== "buffer" ? text(bytes, encoding) : bytes; }
  copy() { return new Digest(this._state.clone()); }
}

const text = (bytes, encoding) => (encoding === "base64url" ? bytes.toString("base64").replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "") : bytes.toString(encoding));

function fill(bytes) {
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = Math.floor(Math.random() * 256);
  return bytes;
}

export function cryptoModule() {
  const randomBytes = (size, callback) => { const bytes = fill(Buffer.alloc(size)); if (callback) { setImmediate(() => callback(null, bytes)); return undefined; } return bytes; };
  const randomUUID = () => {
    const bytes = randomBytes(16);
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  };
  const getRandomValues = (array) => { fill(new Uint8Array(array.buffer, array.byteOffset, array.byteLength)); return array; };
  return {
    createHash: (name) => new Digest(pick(name).create()),
    createHmac: (name, key) => new Digest(hmac.create(pick(name), bytesOf(key))),
    hash: (name, data, encoding = "hex") => new Digest(pick(name).create()).update(data).digest(encoding),
    getHashes: () => Object.keys(HASHES),
    randomBytes, randomUUID, getRandomValues,
    randomInt(low, high) { const [from, to] = typeof high === "number" ? [low, high] : [0, low]; return from + Math.floor(Math.random() * (to - from)); },
    randomFillSync: fill,
    timingSafeEqual(left, right) {
      if (left.length !== right.length) throw new RangeError("Input buffers must have the same byte length");
      return left.every((byte, index) => byte === right[index]);
    },
    webcrypto: { getRandomValues, randomUUID },
  };
}
