// Keeps the board true without a reload: asks once a second, puts the answer's
// words in their places, and veils the board when answers stay away.
// It holds no words of its own: those are in the answer, or on <body>.

const EVERY = 1000, PATIENCE = 2500, FRESH = 5000, LONGEST = 4000; // milliseconds
const MISSES = 3;
const page = document.body;
const time = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: page.dataset.zone });
let tag = "", misses = 0, heard = Date.now(), clock = find(page, "clock").textContent, timer;

function find(root, key) {
  return root.querySelector(`[data-k="${key}"]`);
}

function put(root, key, text) {
  const node = find(root, key);
  if (node.textContent !== text) node.textContent = text;
}

function draw(root, icon) {
  find(root, "icon").setAttribute("href", `#icon-${icon}`);
}

function head(lead, rest, title) {
  put(page, "lead", lead);
  put(page, "rest", rest);
  if (document.title !== title) document.title = title;
}

function renderTile(node, tile) {
  node.dataset.treatment = tile.treatment;
  for (const key of ["word", "line", "camera"]) put(node, key, tile[key]);
  draw(node, tile.icon);
  const bar = find(node, "bar");
  bar.hidden = tile.bar === null;
  bar.value = tile.bar ?? 0;
}

function render(board) {
  const nodes = [...document.querySelectorAll(".tile")];
  if (String(nodes.map((n) => n.dataset.bay)) !== String(board.tiles.map((t) => t.bay))) {
    return location.reload(); // the dock was set up anew
  }
  nodes.forEach((node, index) => renderTile(node, board.tiles[index]));
  page.dataset.live = board.live;
  page.dataset.tone = board.tone;
  head(board.lead, board.rest, board.title);
  const verdict = page.querySelector("h1");
  verdict.dataset.length = board.length;
  find(page, "rest").dataset.length = board.rest_length;
  draw(verdict, board.icon);
  const owed = board.owed.map((line) => Object.assign(document.createElement("li"), { textContent: line }));
  find(page, "owed").replaceChildren(...owed);
  for (const key of ["queue", "link", "room"]) put(page, key, board.footer[key]);
  find(page, "link").dataset.network = board.footer.network;
}

function veil() {
  if (page.dataset.live === "false") return;
  const lead = `${page.dataset.notLive} ${clock}`;
  page.dataset.live = "false";
  tag = ""; // the next answer is drawn whole
  find(page, "rest").dataset.length = "short";
  head(lead, page.dataset.stay, `${lead} – ${page.dataset.stay}`);
  for (const node of document.querySelectorAll('.tile[data-treatment="fill"]')) {
    renderTile(node, { treatment: "dashed", word: page.dataset.leave, line: "", camera: "", icon: "lock", bar: null });
  }
}

function alive(answer) {
  misses = 0;
  heard = Date.now();
  clock = time.format(new Date(answer.headers.get("Date") ?? heard));
  put(page, "clock", clock);
  page.dataset.beat = page.dataset.beat === "odd" ? "even" : "odd";
}

async function ask() {
  const headers = { Accept: "application/vnd.dock-agent.board+json", "If-None-Match": tag };
  const answer = await fetch("/api/v1/status", { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (answer.status === 200) {
    render(await answer.json());
    tag = answer.headers.get("ETag") ?? "";
  } else if (answer.status !== 304) {
    throw new Error(`status ${answer.status}`);
  }
  alive(answer);
}

function watch() {
  if (misses >= MISSES || Date.now() - heard > FRESH) veil();
}

async function poll() {
  watch();
  if (document.hidden) return;
  await ask().catch(() => { misses += 1; });
  watch();
  clearTimeout(timer);
  timer = setTimeout(poll, Math.min(EVERY * 2 ** misses, LONGEST) * (0.9 + Math.random() / 5));
}

document.addEventListener("visibilitychange", poll);
setInterval(watch, EVERY / 2);
poll();
