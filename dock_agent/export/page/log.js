// What was signed: the manifest, the checkpoint, the custody lines and their proofs.
// Each step throws an Error with a sentence for people where something is wrong.

const ZEROS = "0".repeat(64);
const UNLISTED = new Set([
  "manifest-sha256.txt", "manifest-sha256.txt.sig", "verify.html", "verify.html.sig",
]);

function fail(sentence) {
  throw new Error(sentence);
}

function unbase64(text) {
  let found;
  try {
    found = atob(text);
  } catch {
    fail("something is not written in base64");
  }
  if (btoa(found) !== text) fail("something is not written in base64 in its one way");
  return Uint8Array.from(found, (letter) => letter.charCodeAt(0));
}

/** Return the 32 bytes of an Ed25519 key in PEM (RFC 8410). */
function keyOf(pem) {
  const lines = pem.trim().split("\n");
  const der = unbase64(lines.slice(1, -1).join(""));
  if (der.length !== 44 || hex(der.subarray(0, 12)) !== "302a300506032b6570032100") {
    fail("station.pub is not an Ed25519 key");
  }
  return der.subarray(12);
}

/** Return a manifest as a Map of name to digest. */
function listOf(text) {
  const list = new Map();
  const lines = text.split("\n");
  if (lines.pop()) fail("the list of files is cut off");
  for (const line of lines) {
    const told = /^([0-9a-f]{64}) {2}(.+)$/.exec(line);
    if (!told || list.has(told[2])) fail("the list of files has a line that is none");
    list.set(told[2], told[1]);
  }
  return list;
}

/** Return origin, size, root, text and signature of a signed note, if the key signed it. */
async function checkpointOf(note, key) {
  const cut = note.lastIndexOf("\n\n");
  const text = note.slice(0, cut + 1);
  const [origin, size, root, ...more] = text.split("\n");
  if (cut < 0 || more.length !== 1 || !/^(0|[1-9][0-9]{0,14})$/.test(size)) {
    fail("the checkpoint is none");
  }
  const ids = new Uint8Array([...utf8(origin + "\n"), 1, ...key]);
  const id = hex(sha256(ids).subarray(0, 4));
  const signatures = note.slice(cut + 2).split("\n");
  if (signatures.pop() !== "") fail("the checkpoint is cut off");
  let held = null;
  for (const line of signatures) {
    const told = /^— ([^ +]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line);
    if (!told) fail("the checkpoint has a line that is no signature");
    const bytes = unbase64(told[2]);
    if (told[1] !== origin || hex(bytes.subarray(0, 4)) !== id) continue; // another's
    if (!(await verified(key, bytes.subarray(4), utf8(text)))) {
      fail("the checkpoint is not signed by the key of this export");
    }
    held = bytes.subarray(4);
  }
  if (!held) fail("the checkpoint is not signed by the key of this export");
  return { origin, size: Number(size), root: hex(unbase64(root)), text, signature: held };
}

function node(left, right) {
  return sha256(new Uint8Array([1, ...left, ...right]));
}

/** Fail unless a line is in the tree (RFC 9162, 2.1.3.2); `index` counts from 0. */
function included(index, line, hashes, told) {
  const wrong = `line ${index + 1} of the log is not in the log that was signed`;
  if (!(index >= 0 && index < told.size)) fail(wrong);
  let first = index, last = told.size - 1;
  let found = sha256(new Uint8Array([0, ...utf8(line)]));
  for (const hash of hashes) {
    if (last === 0 || hash.length !== 32) fail(wrong);
    if (first % 2 === 1 || first === last) {
      found = node(hash, found);
      while (first && first % 2 === 0) {
        first /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      found = node(found, hash);
    }
    first = Math.floor(first / 2);
    last = Math.floor(last / 2);
  }
  if (last || hex(found) !== told.root) fail(wrong);
}

/** Return the lines, each read, if they are in order and each docking's are a chain. */
function chained(text) {
  const lines = text.split("\n");
  if (lines.pop()) fail("the custody log is cut off");
  const heads = new Map();
  let before = 0;
  return lines.map((line) => {
    let told;
    try {
      told = JSON.parse(line);
    } catch {
      fail("the custody log has a line that cannot be read");
    }
    if (!Number.isSafeInteger(told.seq) || told.seq <= before) {
      fail(`line ${told.seq} of the custody log is out of order`);
    }
    before = told.seq;
    if (told.docking !== null) {
      const [count, digest] = heads.get(told.docking) ?? [0, ZEROS];
      if (told.docking_seq !== count + 1 || told.docking_prev !== digest) {
        fail(`line ${told.seq} of the custody log does not follow the one before it`);
      }
      heads.set(told.docking, [count + 1, hex(sha256(utf8(line)))]);
    }
    return { line, told };
  });
}

const isEvidence = (name) => name.startsWith("data/") && !name.startsWith("data/ascmhl/");

/** Return by name which digests the log allows for each file that it calls safe. */
function copiesOf(lines) {
  const safe = new Map();
  for (const { told } of lines) {
    const name = `data/${told.docking}/${told.facts.file}`;
    if (told.kind === "verified" || told.kind === "held") safe.set(name, told.facts);
    else if (told.kind === "quarantined") safe.delete(name);
  }
  const copy = (facts) => (facts.encrypted ?? facts).sha256;
  const kept = new Map(); // by docking and the digest of the camera's bytes
  for (const [name, facts] of safe) {
    const whose = `${name.split("/")[1]} ${facts.sha256}`;
    if (!("held_by" in facts)) kept.set(whose, [...(kept.get(whose) ?? []), copy(facts)]);
  }
  const allowed = new Map();
  for (const [name, facts] of safe) {
    const held = "held_by" in facts;
    const whose = `${facts.held_by} ${facts.sha256}`;
    allowed.set(name, held ? kept.get(whose) ?? [] : [copy(facts)]);
  }
  return allowed;
}

/** Fail unless the files of the list are those that the log says were copied. */
function agreed(list, lines, about) {
  const allowed = copiesOf(lines);
  const sealed = new Set();
  for (const { told } of lines) if (told.kind === "sealed") sealed.add(told.docking);
  for (const [name, digest] of list) {
    if (!isEvidence(name)) continue;
    if (!(allowed.get(name) ?? []).includes(digest)) {
      fail(`${name} is not what the custody log says was copied`);
    }
    if (!sealed.has(name.split("/")[1])) fail(`the docking of ${name} was never sealed`);
  }
  for (const name of allowed.keys()) {
    if (about.dockings[name.split("/")[1]] && !list.has(name)) {
      fail(`${name} was copied from the camera, and is not in the list of files`);
    }
  }
}

/** Check all that is in this page. Return what is known then; throw what is wrong. */
async function checkPage(facts) {
  const { texts, proofs } = facts;
  const pem = texts["station.pub"], manifest = texts["manifest-sha256.txt"];
  const key = keyOf(pem);
  if (!(await verified(key, unbase64(facts.signature), utf8(manifest)))) {
    fail("the list of files is not signed by the key of this export");
  }
  const list = listOf(manifest);
  const same = (name, text) => {
    const bytes = typeof text === "string" ? utf8(text) : text;
    if (list.get(name) !== hex(sha256(bytes))) fail(`${name} is not what was signed`);
  };
  for (const [name, text] of Object.entries(texts)) {
    if (name !== "manifest-sha256.txt") same(name, text);
  }
  const note = texts.checkpoint, about = JSON.parse(texts["export.json"]);
  const told = await checkpointOf(note, key);
  same("checkpoint.txt", told.text);
  same("checkpoint.sig", told.signature);
  if (told.origin !== about.log) fail("the checkpoint is of another station's log");
  const lines = chained(texts["custody.jsonl"]);
  for (const { line, told: { seq } } of lines) {
    const hashes = proofs[seq] ?? fail(`line ${seq} of the custody log has no proof`);
    const name = `proofs/${String(seq).padStart(8, "0")}.tlog-proof`;
    const above = ["c2sp.org/tlog-proof@v1", `index ${seq - 1}`, ...hashes].join("\n");
    same(name, `${above}\n\n${note}`);
    included(seq - 1, line, hashes.map(unbase64), told);
  }
  const proved = [...list.keys()].filter((name) => name.startsWith("proofs/"));
  if (proved.length !== lines.length) fail("there are proofs of lines that are not here");
  agreed(list, lines, about);
  return { key, list, lines, about, told, fingerprint: hex(sha256(key)) };
}
