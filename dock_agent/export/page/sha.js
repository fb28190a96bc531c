// SHA-256 piece by piece, and SHA-512 at once (FIPS 180-4). The constants are the
// first bits of the fractions of the square and cube roots of the first primes.

/** Make the class; its source, as text, is also what the worker runs. */
function makeSha256() {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) {
    if (primes.every((prime) => n % prime)) primes.push(n);
  }
  const fraction = (number) => (number - Math.floor(number)) * 2 ** 32;
  const K = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)) | 0);
  const START = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)) | 0);
  const W = new Int32Array(64);

  return class Sha256 {
    constructor() {
      this.state = Int32Array.from(START);
      this.rest = new Uint8Array(64);
      this.held = 0; // bytes in rest
      this.length = 0; // bytes in all
    }

    update(bytes) {
      let at = 0;
      this.length += bytes.length;
      if (this.held) {
        at = Math.min(64 - this.held, bytes.length);
        this.rest.set(bytes.subarray(0, at), this.held);
        this.held += at;
        if (this.held < 64) return this;
        this.block(this.rest, 0);
        this.held = 0;
      }
      for (; at + 64 <= bytes.length; at += 64) this.block(bytes, at);
      this.rest.set(bytes.subarray(at));
      this.held = bytes.length - at;
      return this;
    }

    /** Return the 32 bytes. Nothing can be added afterwards. */
    digest() {
      const length = this.length;
      const pad = new Uint8Array((this.held < 56 ? 64 : 128) - this.held);
      pad[0] = 0x80;
      const view = new DataView(pad.buffer);
      view.setUint32(pad.length - 8, Math.floor(length / 2 ** 29));
      view.setUint32(pad.length - 4, (length * 8) % 2 ** 32);
      this.update(pad);
      const out = new DataView(new ArrayBuffer(32));
      this.state.forEach((word, n) => out.setInt32(4 * n, word));
      return new Uint8Array(out.buffer);
    }

    block(bytes, at) {
      for (let n = 0; n < 16; n++, at += 4) {
        W[n] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
      }
      for (let n = 16; n < 64; n++) {
        const x = W[n - 15], y = W[n - 2];
        const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        W[n] = (W[n - 16] + s0 + W[n - 7] + s1) | 0;
      }
      const s = this.state; // taken one by one: an array pattern is three times as slow
      let a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
      for (let n = 0; n < 64; n++) {
        const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
        const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[n] + W[n]) | 0;
        const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
        const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        h = g; g = f; f = e; e = (d + t1) | 0;
        d = c; c = b; b = a; a = (t1 + t2) | 0;
      }
      s[0] += a; s[1] += b; s[2] += c; s[3] += d;
      s[4] += e; s[5] += f; s[6] += g; s[7] += h;
    }
  };
}

const Sha256 = makeSha256();
const sha256 = (bytes) => new Sha256().update(bytes).digest();
const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
const utf8 = (text) => new TextEncoder().encode(text);

const MASK64 = (1n << 64n) - 1n;

/** Return the first 64 bits of the fraction of a number's root. */
function rootBits(number, power) {
  const wanted = BigInt(number) << BigInt(64 * power);
  let low = 0n, high = 1n << 72n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** BigInt(power) <= wanted) low = middle;
    else high = middle;
  }
  return low & MASK64;
}

/** Return the 64 bytes of SHA-512; slow, and used only where the browser has none. */
function sha512(message) {
  const primes = [];
  for (let n = 2; primes.length < 80; n++) {
    if (primes.every((prime) => n % prime)) primes.push(n);
  }
  const k = primes.map((prime) => rootBits(prime, 3));
  const state = primes.slice(0, 8).map((prime) => rootBits(prime, 2));
  const whole = new Uint8Array(Math.ceil((message.length + 17) / 128) * 128);
  whole.set(message);
  whole[message.length] = 0x80;
  const view = new DataView(whole.buffer);
  view.setBigUint64(whole.length - 8, BigInt(message.length) * 8n);
  for (let at = 0; at < whole.length; at += 128) sha512Block(state, k, view, at);
  const out = new DataView(new ArrayBuffer(64));
  state.forEach((word, n) => out.setBigUint64(8 * n, word));
  return new Uint8Array(out.buffer);
}

function sha512Block(state, k, view, at) {
  const turn = (x, n) => (x >> n) | ((x << (64n - n)) & MASK64);
  const w = [];
  for (let n = 0; n < 80; n++) {
    if (n < 16) {
      w.push(view.getBigUint64(at + 8 * n));
      continue;
    }
    const x = w[n - 15], y = w[n - 2];
    const s0 = turn(x, 1n) ^ turn(x, 8n) ^ (x >> 7n);
    const s1 = turn(y, 19n) ^ turn(y, 61n) ^ (y >> 6n);
    w.push((w[n - 16] + s0 + w[n - 7] + s1) & MASK64);
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let n = 0; n < 80; n++) {
    const s1 = turn(e, 14n) ^ turn(e, 18n) ^ turn(e, 41n);
    const t1 = h + s1 + ((e & f) ^ (~e & MASK64 & g)) + k[n] + w[n];
    const s0 = turn(a, 28n) ^ turn(a, 34n) ^ turn(a, 39n);
    const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) & MASK64, c, b, a, (t1 + t2) & MASK64];
  }
  [a, b, c, d, e, f, g, h].forEach((word, n) => {
    state[n] = (state[n] + word) & MASK64;
  });
}
