// The files that a person chooses or drags in: found, hashed, held against the list.

const PIECE = 4 << 20; // bytes read at a time: a file may be larger than the memory

/** Return the digest of a file, as 32 bytes; `show` hears the bytes of each piece. */
async function hashed(file, Sha256, show, piece) {
  const sum = new Sha256();
  for (let at = 0; at < file.size; at += piece) {
    const bytes = new Uint8Array(await file.slice(at, at + piece).arrayBuffer());
    sum.update(bytes);
    show(bytes.length);
  }
  if (sum.length !== file.size) throw new Error("it became shorter meanwhile");
  return sum.digest();
}

const WORKER = `
  const Sha256 = (${makeSha256})();
  const hashed = ${hashed};
  onmessage = async ({ data: { file, piece } }) => {
    try {
      const digest = await hashed(file, Sha256, (count) => postMessage({ count }), piece);
      postMessage({ digest });
    } catch (error) {
      postMessage({ failed: String(error) });
    }
  };
`;

let worker;
try {
  worker = new Worker(URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" })));
} catch {
  worker = null; // then this page hashes, a piece at a time
}

/** Return the hexadecimal digest of a file; throws where it cannot be read. */
async function digestOf(file, show) {
  if (!worker) return hex(await hashed(file, Sha256, show, PIECE));
  const digest = await new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.count) show(data.count);
      else if (data.digest) resolve(data.digest);
      else reject(new Error(data.failed));
    };
    worker.onerror = () => reject(new Error("the page could not hash it"));
    worker.postMessage({ file, piece: PIECE });
  });
  return hex(digest);
}

/** What was chosen: files by path, folders by path, and whether empty ones show. */
class Choice {
  constructor(showsEmpty) {
    this.files = new Map();
    this.folders = new Set();
    this.unread = [];
    this.showsEmpty = showsEmpty;
  }

  add(path, file) {
    this.files.set(path, file);
  }
}

function chosenFiles(input) {
  const choice = new Choice(false);
  for (const file of input.files) choice.add(file.webkitRelativePath || file.name, file);
  return choice;
}

/**
 * Return what was dropped. Chromium refuses the older way to read a folder to a page
 * from the disk, and others lack the newer one: each is tried. What both refuse is in
 * `unread`. All that the event holds is taken at once: afterwards it is empty.
 */
async function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file").map((item) => ({
    handle: item.getAsFileSystemHandle?.().catch(() => null),
    entry: item.webkitGetAsEntry?.(),
    file: item.getAsFile(),
  }));
  const choice = new Choice(true);
  for (const { handle, entry, file } of items) {
    const known = await handle;
    if (known) await walk(known, known.name, choice);
    else if (entry?.isDirectory) await walkEntry(entry, choice);
    else if (file) choice.add(file.name, file);
  }
  return choice;
}

async function walk(handle, path, choice) {
  try {
    if (handle.kind === "file") {
      choice.add(path, await handle.getFile());
      return;
    }
    choice.folders.add(path);
    for await (const [name, below] of handle.entries()) {
      await walk(below, `${path}/${name}`, choice);
    }
  } catch {
    choice.unread.push(path);
  }
}

async function walkEntry(entry, choice) {
  const path = entry.fullPath.replace(/^\//, "");
  const ask = (what, from) => new Promise((yes, no) => from[what](yes, no));
  try {
    if (entry.isFile) {
      choice.add(path, await ask("file", entry));
      return;
    }
    choice.folders.add(path);
    const reader = entry.createReader();
    for (let some; (some = await ask("readEntries", reader)).length;) {
      for (const below of some) await walkEntry(below, choice);
    }
  } catch {
    choice.unread.push(path);
  }
}

/** Return the part of the paths above the export's folder; null if it is not there. */
function rootOf(choice) {
  const tops = [...choice.files.keys()]
    .map((path) => /^(.*?)(?:verify\.html|manifest-sha256\.txt)$/.exec(path)?.[1])
    .filter((top) => top !== undefined && (top === "" || top.endsWith("/")))
    .sort((one, other) => one.length - other.length);
  const folders = [...choice.files.keys()].some((path) => path.includes("/"));
  return tops.length && folders ? tops[0] : null;
}

function parentsOf(names) {
  const found = new Set();
  for (const name of names) {
    for (let at = name.indexOf("/"); at > 0; at = name.indexOf("/", at + 1)) {
      found.add(name.slice(0, at));
    }
  }
  return found;
}
