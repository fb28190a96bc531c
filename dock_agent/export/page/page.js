// The page itself: what is known so far, in words, and nothing beyond it.

const $ = (id) => document.getElementById(id);
const facts = JSON.parse($("facts").textContent);
const state = {
  page: null, // what checkPage found
  wrong: [], // sentences
  same: new Set(), // names in the list whose bytes were compared, and are the same
  whole: null, // the Choice, if it is the whole folder
  key: null, // whether the agency's fingerprint is this one; null: not compared
  busy: "",
};
const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

function evidence() {
  return [...state.page.list.keys()].filter(isEvidence);
}

/** Return how the verdict looks, what it says, and what it explains. */
function verdict() {
  if (state.wrong.length) {
    return ["wrong", "Do not rely on this export", "Something is not as it was signed:"];
  }
  if (!state.page) return ["open", "Checking …", ""];
  const files = evidence(), done = files.filter((name) => state.same.has(name)).length;
  if (state.key === false) {
    return ["wrong", "This is not the agency’s key", "Whoever made this export is not the "
      + "station whose fingerprint you entered. Nothing in it is proven."];
  }
  if (state.busy) return ["open", "Reading …", state.busy];
  if (!done) {
    return ["open", "No file was checked yet", "Drag this export’s folder onto this page, "
      + "or choose it below."];
  }
  const told = `${done} of ${count(files.length, "file")} were read, and are what was signed.`;
  if (state.key === null) {
    return ["open", "It agrees – but with whose key?", `${told} Compare the fingerprint `
      + "below with the agency’s: until then, nobody knows who signed."];
  }
  if (!state.whole || done < files.length) {
    return ["open", "What was checked is unchanged", `${told} The rest of the folder was `
      + "not looked at."];
  }
  const added = state.whole.showsEmpty ? "nothing was" : "no file was";
  return ["proven", "Proven", `Every file is here and unchanged since the station signed `
    + `for it, and ${added} added. That is what is proven, and no more than that.`];
}

/** Return each question with its answer: true, false, or null for not checked. */
function answers() {
  const { page, wrong, whole } = state;
  const files = page ? evidence() : [];
  const done = files.filter((name) => state.same.has(name)).length;
  const fine = page ? true : wrong.length ? false : null;
  return [
    ["Is the list of files signed by the key above?", fine],
    [page ? `Are these ${count(page.lines.length, "line")} of the custody log in the log `
      + `of ${count(page.told.size, "line")} that the same key signed, and is each `
      + "docking’s chain unbroken?" : "Is the custody log the one that was signed?", fine],
    ["Is each file of the list what the custody log says was copied from the camera?", fine],
    [`Were the files themselves read, and are they the same? (${done} of ${files.length})`,
      wrong.length ? false : done && done === files.length ? true : null],
    ["Is every other file of the export the same, and was no file added?",
      wrong.length ? false : whole ? true : null],
    ["Are there no folders besides those of the list, not even empty ones?",
      wrong.length ? false : whole?.showsEmpty ? true : null],
    ["Is the key the agency’s?", state.key],
  ];
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function show() {
  const [look, title, told] = verdict();
  document.body.dataset.verdict = look;
  document.title = title;
  $("title").textContent = title;
  $("told").textContent = told;
  $("wrong").replaceChildren(...state.wrong.slice(0, 50).map((each) => element("li", each)));
  $("answers").replaceChildren(...answers().map(([question, answer]) => {
    const [word, kind] = answer === null ? ["Not checked", "open"]
      : answer ? ["Yes", "yes"] : ["No", "no"];
    const item = element("li", `${question} `);
    item.append(element("strong", word, kind));
    return item;
  }));
}

function mark(name, word, kind) {
  const cell = rows.get(name);
  if (!cell) return;
  cell.textContent = word;
  cell.className = kind;
}

function wrong(sentence, name) {
  state.wrong.push(sentence);
  state.same.delete(name);
  mark(name, "Not what was signed", "no");
}

const rows = new Map();

function fill() {
  const { list, lines, fingerprint, about } = state.page;
  $("fingerprint").textContent = fingerprint.match(/.{4}/g).join(" ");
  $("station").textContent = `Station ${about.station}, exported ${about.at}`;
  $("encrypted").hidden = !lines.some(({ told }) => told.facts.encrypted);
  for (const name of evidence()) {
    const row = element("tr", "");
    const cell = element("td", "Not checked", "open");
    row.append(element("th", name.slice(5)), element("td", list.get(name), "digest"), cell);
    row.firstChild.scope = "row";
    rows.set(name, cell);
    $("files").append(row);
  }
  $("log").addEventListener("toggle", () => {
    $("lines").replaceChildren(...lines.map(({ told }) => {
      const row = element("tr", "");
      const what = [told.kind, told.facts.file ?? ""].join(" ").trim();
      row.append(element("td", told.seq), element("td", told.at), element("td", what),
        element("td", told.actor));
      return row;
    }));
  }, { once: true });
}

async function sameAsListed(name, file) {
  const whole = file.size;
  let done = 0;
  try {
    const found = await digestOf(file, (bytes) => {
      done += bytes;
      const part = whole ? Math.floor((100 * done) / whole) : 100;
      state.busy = `${name}: ${part} %`;
      $("told").textContent = state.busy;
    });
    return found;
  } catch (error) {
    wrong(`${name} could not be read: ${error.message}`, name);
    return null;
  }
}

/** Check the four files that the list cannot have: itself, the page, their signatures. */
async function checkUnlisted(name, files) {
  const bytes = async (which) => new Uint8Array(await files.get(which).arrayBuffer());
  const text = () => files.get(name).text();
  if (name === "manifest-sha256.txt") return (await text()) === facts.texts[name];
  const signature = await bytes(name.endsWith(".sig") ? name : `${name}.sig`);
  if (name === "manifest-sha256.txt.sig") {
    return hex(signature) === hex(unbase64(facts.signature));
  }
  return verified(state.page.key, signature, await bytes("verify.html"));
}

async function checkFolder(choice, root) {
  const below = (path) => path.slice(root.length);
  const files = new Map([...choice.files].filter(([path]) => path.startsWith(root))
    .map(([path, file]) => [below(path), file]));
  const { list } = state.page, bad = state.wrong.length;
  for (const name of choice.unread) wrong(`${name} could not be read`, name);
  for (const name of [...list.keys(), ...UNLISTED]) {
    if (!files.has(name)) wrong(`${name} is missing`, name);
  }
  for (const name of files.keys()) {
    if (!list.has(name) && !UNLISTED.has(name)) wrong(`${name} was added: it is not listed`);
  }
  const folders = parentsOf([...list.keys()]);
  for (const path of choice.folders) {
    const name = path.startsWith(root) ? below(path) : "";
    if (name && !folders.has(name)) wrong(`${name} is a folder that was added`);
  }
  for (const name of UNLISTED) {
    const signed = [name, name.replace(/\.sig$/, ""), `${name.replace(/\.sig$/, "")}.sig`];
    if (!signed.every((each) => files.has(each))) continue;
    if (!(await checkUnlisted(name, files))) wrong(`${name} is not what was signed`);
  }
  for (const [name, digest] of list) {
    if (!files.has(name)) continue;
    await checkFile(name, digest, files.get(name));
  }
  if (state.wrong.length === bad) state.whole = choice;
}

async function checkFile(name, digest, file) {
  mark(name, "Reading …", "open");
  const found = await sameAsListed(name, file);
  if (found === digest) {
    state.same.add(name);
    mark(name, "Unchanged", "yes");
  } else if (found) {
    wrong(`${name} is not what was signed: its bytes are others`, name);
  }
}

/** Check files that were not chosen as the export's folder: each for itself. */
async function checkLoose(choice) {
  const { list } = state.page;
  for (const [path, file] of choice.files) {
    if (UNLISTED.has(path)) continue; // they are checked with the folder
    const found = await sameAsListed(path, file);
    const names = [...list].filter(([, digest]) => digest === found).map(([name]) => name);
    if (found && !names.length) {
      wrong(`${path} is none of the files of this export, or it was changed`);
    }
    for (const name of names) {
      state.same.add(name);
      mark(name, "Unchanged", "yes");
    }
  }
}

async function check(choice) {
  if (!state.page) return;
  if (!choice.files.size) {
    $("told").textContent = choice.unread.length
      ? "This browser does not let a page read a folder that is dropped: choose it below."
      : "There is no file in what you chose.";
    return;
  }
  const root = rootOf(choice);
  state.busy = `${count(choice.files.size, "file")} to read`;
  if (root !== null) {
    Object.assign(state, { wrong: [], same: new Set(), whole: null });
  }
  show();
  try {
    await (root === null ? checkLoose(choice) : checkFolder(choice, root));
  } catch (error) {
    wrong(`the files could not be checked: ${error.message}`);
  }
  state.busy = "";
  show();
}

let taken = 0; // choices that were read, for whoever waits

function compare() {
  const told = $("agency").value.replace(/[\s:.-]/g, "").toLowerCase();
  const whole = /^[0-9a-f]{64}$/.test(told);
  state.key = whole && state.page ? told === state.page.fingerprint : null;
  $("compared").textContent = !told ? "" : !whole ? "A fingerprint has 64 characters, 0–9 and a–f."
    : state.key ? "It is the same." : "It is another one.";
  show();
}

let work = checkPage(facts).then(
  (found) => {
    state.page = found;
    fill();
    compare();
  },
  (error) => state.wrong.push(error.message),
).then(show);
const next = (choose) => {
  work = work.then(async () => check(await choose)).then(() => {
    document.body.dataset.taken = String(++taken);
  });
};
$("folder").addEventListener("change", (event) => next(chosenFiles(event.target)));
$("some").addEventListener("change", (event) => next(chosenFiles(event.target)));
$("agency").addEventListener("input", compare);
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  next(dropped(event.dataTransfer)); // at once: what was dropped is gone afterwards
});
show();
