// Ed25519 (RFC 8032): the browser's own where it has it, else ours.

const P = (1n << 255n) - 19n;
const L = (1n << 252n) + 27742317777372353535851937790883648493n;
const mod = (a, m = P) => ((a % m) + m) % m;

function power(base, exponent) {
  let result = 1n;
  for (let b = mod(base); exponent; exponent >>= 1n, b = (b * b) % P) {
    if (exponent & 1n) result = (result * b) % P;
  }
  return result;
}

const D = mod(-121665n * power(121666n, P - 2n));
const ROOT = power(2n, (P - 1n) / 4n); // of -1
const ZERO = [0n, 1n, 1n, 0n];

function number(bytes) {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** Return x for y and the sign bit (RFC 8032, 5.1.3); null where there is none. */
function xOf(y, sign) {
  if (y >= P) return null;
  const u = mod(y * y - 1n), v = mod(D * y * y + 1n);
  let x = mod(u * v ** 3n * power(mod(u * v ** 7n), (P - 5n) / 8n));
  const found = mod(v * x * x);
  if (found === mod(-u)) x = mod(x * ROOT);
  else if (found !== u) return null;
  if (x === 0n && sign) return null;
  return (x & 1n) === sign ? x : P - x;
}

function decoded(bytes) {
  const whole = number(bytes), y = whole & ((1n << 255n) - 1n);
  const x = xOf(y, whole >> 255n);
  return x === null ? null : [x, y, 1n, mod(x * y)];
}

function encoded([x, y, z]) {
  const inverse = power(z, P - 2n);
  const whole = mod(y * inverse) | ((mod(x * inverse) & 1n) << 255n);
  return Uint8Array.from({ length: 32 }, (_, n) => Number((whole >> BigInt(8 * n)) & 255n));
}

function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = mod((y1 - x1) * (y2 - x2)), b = mod((y1 + x1) * (y2 + x2));
  const c = mod(2n * D * t1 * t2), d = mod(2n * z1 * z2);
  const e = b - a, f = d - c, g = d + c, h = b + a;
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function times(scalar, point) {
  let sum = ZERO;
  for (; scalar; scalar >>= 1n, point = add(point, point)) {
    if (scalar & 1n) sum = add(sum, point);
  }
  return sum;
}

function verifiedHere(key, signature, message) {
  const point = decoded(key), s = number(signature.subarray(32));
  if (signature.length !== 64 || point === null || s >= L) return false;
  const all = new Uint8Array(64 + message.length);
  all.set(signature.subarray(0, 32));
  all.set(key, 32);
  all.set(message, 64);
  const k = mod(number(sha512(all)), L);
  const [x, y, z, t] = times(k, point);
  const y0 = mod(4n * power(5n, P - 2n)), x0 = xOf(y0, 0n);
  const found = add(times(s, [x0, y0, 1n, mod(x0 * y0)]), [mod(-x), y, z, mod(-t)]);
  return hex(encoded(found)) === hex(signature.subarray(0, 32));
}

/** Whether `signature`, 64 bytes, is that of the 32-byte `key` over `message`. */
async function verified(key, signature, message) {
  let known;
  try {
    known = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    return verifiedHere(key, signature, message); // it has no Ed25519, or no crypto
  }
  return crypto.subtle.verify({ name: "Ed25519" }, known, signature, message);
}
