// Ways into cells and questions: the address after # is the only state, so links, the back button and reloads work.
const UNPARSED = 1, TRUNCATED = 2, FAILED = 4, EMERGENT = 8;
const DATA = JSON.parse(document.getElementById("data").textContent);
const report = document.getElementById("content"), view = document.getElementById("view");
const cellIndex = new Map(DATA.about.map((cell, i) => [cell.id, i]));
const wholeTitle = document.title;
let left = 0, drawn = null, filter = "all", sought = "", steps = {};

const linkTo = (cell, item) => `#/${encodeURIComponent(cell)}${item === undefined ? "" : `/${encodeURIComponent(item)}`}`;
const nameOf = (cell, row) => DATA.items[cell.task][row[0]][0];
const rowOf = (index, name) => DATA.cells[index].find((row) => nameOf(DATA.about[index], row) === name);

const FILTERS = [
  ["all", "all", () => true], ["right", "right", (r) => r[1] !== null && r[1] >= 0.5], ["wrong", "wrong", (r) => r[1] !== null && r[1] < 0.5],
  ["emergent", "only together", (r) => r[2] & EMERGENT], ["unparsed", "unparsed", (r) => r[2] & UNPARSED], ["truncated", "truncated", (r) => r[2] & TRUNCATED], ["failed", "failed", (r) => r[2] & FAILED],
];

function factsOf(cell) {
  const s = cell.summary, ci = s.low === null ? "" : ` [${score(s.low)}, ${score(s.high)}]`;
  const facts = [["score", score(s.mean) + ci], ["n", count(s.n)], ["unparsed", percent(s.unparsed)], ["truncated", percent(s.truncated)], ["failed", count(s.failed)],
    ["tokens per query", `${Math.round(s.prompt_tokens_per_query)} + ${Math.round(s.completion_tokens_per_query)}`], ["calls per query", s.calls_per_query.toFixed(1)]];
  return make("ul", { class: "facts" }, facts.map(([k, v]) => make("li", {}, `${k} `, make("b", {}, v))));
}

function trail(cell, item) {
  return make("p", { class: "trail" }, make("a", { href: "#cells" }, "Report"), make("span", {}, "›"),
    item === undefined ? `${cell.label} on ${cell.task}, seed ${cell.seed}` : [make("a", { href: linkTo(cell.id) }, `${cell.label} on ${cell.task}, seed ${cell.seed}`), make("span", {}, "›"), make("span", {}, item)],
    item !== undefined && [make("a", { href: steps.before, hidden: !steps.before }, "← previous"), make("a", { href: steps.after, hidden: !steps.after }, "next →")],
    make("span", { class: "keys" }, item === undefined ? "j k move · enter opens · esc back" : "j k next and previous · esc back"));
}

function showCell(index) {
  const cell = DATA.about[index], rows = DATA.cells[index];
  const others = DATA.about.filter((other) => other.label === cell.label && other.role === cell.role && other.id !== cell.id && (other.task === cell.task || other.seed === cell.seed));
  const list = make("ol", { class: "list" }), buttons = make("div", { class: "filters", role: "group", "aria-label": "Show" });
  const refresh = () => {
    const rule = FILTERS.find(([key]) => key === filter)[2], wanted = sought.toLowerCase();
    const shown = chosen(cell, rows, rule, wanted);
    list.replaceChildren(...shown.map((row) => questionLink(cell, row)));
    if (!shown.length) list.append(make("li", { class: "n" }, rows.length ? "No question fits." : "No texts are kept for this cell; they are in the run directory."));
    for (const button of buttons.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.filter === filter));
  };
  if (!rows.some(FILTERS.find(([key]) => key === filter)[2])) filter = "all";
  for (const [key, name, rule] of FILTERS) {
    const n = rows.filter(rule).length;
    if (!n && key !== "all") continue;
    const button = make("button", { type: "button", "data-filter": key }, `${name} ${n}`);
    button.addEventListener("click", () => { filter = key; refresh(); });
    buttons.append(button);
  }
  const search = make("input", { type: "search", placeholder: "find in questions and answers", "aria-label": "Find in questions and answers" });
  search.value = sought;
  search.addEventListener("input", () => { sought = search.value; refresh(); });
  buttons.append(search);
  const total = DATA.totals[cell.task] ?? rows.length;
  const told = (known) => Object.entries(cell.options ?? {}).filter(([k, v]) => (cell.changed ? cell.changed.includes(k) === known : known && v !== null));
  const facts = (options) => options.map(([k, v]) => make("li", {}, `${k} `, make("b", {}, short(typeof v === "string" ? v : JSON.stringify(v), 120))));
  const usual = told(false);
  steps = {};
  show(view, trail(cell), make("h1", {}, signOf(cell), cell.label), factsOf(cell),
    make("ul", { class: "facts" }, make("li", {}, "members ", make("b", {}, (cell.members ?? []).join(", "))), cell.reads_dev && make("li", {}, "fitted on dev of ", make("b", {}, cell.fit_on)),
      cell.changed?.length === 0 && make("li", {}, "all options at their defaults"), facts(told(true)),
      others.length > 0 && make("li", {}, "also ", others.slice(0, 12).map((o, i) => [i > 0 && ", ", make("a", { href: linkTo(o.id) }, o.task === cell.task ? `seed ${o.seed}` : o.task)]))),
    usual.length > 0 && make("details", { class: "usual" }, make("summary", {}, `${usual.length} options at their defaults`), make("ul", { class: "facts" }, facts(usual))),
    buttons, rows.length < total && make("p", { class: "n" }, `${rows.length} of ${total} questions are kept in this file, evenly spaced; all are in the run directory.`), list);
  refresh();
}

function chosen(cell, rows, rule, wanted) {
  const text = (i) => (i < 0 ? "" : DATA.strings[i]);
  return rows.filter((row) => rule(row) && (!wanted || `${nameOf(cell, row)}\n${text(DATA.items[cell.task][row[0]][1])}\n${text(row[3])}`.toLowerCase().includes(wanted)));
}

function questionLink(cell, row) {
  const [name, asked] = DATA.items[cell.task][row[0]];
  const said = row[4] < 0 ? "–" : DATA.strings[row[4]];
  const line = (asked < 0 ? name : DATA.strings[asked]).replace(/\s+/g, " ");
  return make("li", {}, make("a", { href: linkTo(cell.id, name) }, verdict(row[1], row[2]).node, make("span", { class: "one", dir: "auto" }, short(line, 300)), make("span", { class: "said one" }, make("bdi", {}, short(said, 60)), flagNames(row[2]))));
}

function showAnswer(index, name) {
  const cell = DATA.about[index], row = rowOf(index, name);
  const rule = FILTERS.find(([key]) => key === filter)[2];
  const shown = chosen(cell, DATA.cells[index], rule, sought.toLowerCase()).map((r) => nameOf(cell, r));
  const at = shown.indexOf(name), near = (i) => (at >= 0 && i >= 0 && i < shown.length ? linkTo(cell.id, shown[i]) : undefined);
  steps = { before: near(at - 1), after: near(at + 1), up: linkTo(cell.id) };
  show(view, trail(cell, name), row ? answerView(cell, name, row) : make("p", {}, "The texts of this question are not kept in this file; they are in the run directory."));
}

// The browser tells of a new address only later: a key pressed before that must find the page of its address, not the last one.
function catchUp() {
  if (location.hash !== drawn) go();
}

function go() {
  drawn = location.hash;
  const parts = location.hash.startsWith("#/") ? location.hash.slice(2).split("/").map(decodeURIComponent) : null;
  const index = parts ? cellIndex.get(parts[0]) : undefined;
  if (index === undefined) {
    const back = report.hidden;
    view.hidden = true; report.hidden = false; document.title = wholeTitle;
    if (back) { const target = document.getElementById(location.hash.slice(1)); if (target && target !== report && left === 0) target.scrollIntoView(); else scrollTo({ top: left, behavior: "instant" }); }
    return;
  }
  if (!report.hidden) left = scrollY;
  report.hidden = true; view.hidden = false;
  const cell = DATA.about[index];
  if (parts.length > 1) showAnswer(index, parts[1]); else showCell(index);
  document.title = `${parts[1] ?? cell.label} · ${wholeTitle}`;
  tellWidth();
  scrollTo({ top: 0, behavior: "instant" });
  view.focus({ preventScroll: true });
}

function press(event) {
  catchUp();
  if (view.hidden || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) { if (event.key === "Escape") event.target.blur(); return; }
  const links = [...view.querySelectorAll(".list a")], at = links.indexOf(document.activeElement);
  const step = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[event.key];
  if (event.key === "Escape") location.hash = steps.up ?? "#cells";
  else if (step && links.length) links[Math.min(links.length - 1, Math.max(0, at + step))].focus();
  else if (step && (step > 0 ? steps.after : steps.before)) location.hash = step > 0 ? steps.after : steps.before;
  else return;
  event.preventDefault();
}

function lightUp(event) {
  const box = event.target.closest("[data-call]");
  if (!box) return;
  event.preventDefault();
  const call = document.getElementById(box.dataset.call);
  for (const lit of view.querySelectorAll(".lit")) lit.classList.remove("lit");
  for (let above = call.parentElement; above; above = above.parentElement) if (above.tagName === "DETAILS") above.open = true;
  call.classList.add("lit");
  call.scrollIntoView({ block: "center" });
}

function pick(event) {
  const strip = event.target.closest(".pick");
  if (!strip) return;
  const order = DATA.orders[strip.dataset.task] ?? [], frame = strip.getBoundingClientRect();
  const item = order[Math.min(order.length - 1, Math.max(0, Math.floor(((event.clientX - frame.left) / frame.width) * order.length)))];
  if (item !== undefined) location.hash = linkTo(strip.dataset.cell, item);
}

const root = document.documentElement, button = document.getElementById("theme");
const kept = { get: () => { try { return localStorage.getItem("moco-theme"); } catch { return null; } }, set: (v) => { try { localStorage.setItem("moco-theme", v); } catch { root.dataset.theme = v; } } };
function dress(theme) {
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  button.textContent = dark ? "Light" : "Dark";
  button.setAttribute("aria-label", `Use the ${dark ? "light" : "dark"} theme`);
}
button.hidden = false;
button.addEventListener("click", () => { const next = button.textContent.toLowerCase(); kept.set(next); dress(next); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dress());
dress(kept.get());
// Wide tables say that they go on: a line above, and a fading edge until the end is reached.
function tellWidth() {
  for (const box of document.querySelectorAll(".scroll")) {
    box.classList.toggle("wide", box.scrollWidth > box.clientWidth + 1);
    box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
  }
}
addEventListener("resize", tellWidth);
addEventListener("scroll", (event) => { if (event.target.classList?.contains("scroll")) tellWidth(); }, true);
addEventListener("toggle", tellWidth, true);
addEventListener("hashchange", catchUp);
addEventListener("keydown", press);
view.addEventListener("click", lightUp);
report.addEventListener("click", pick);
go();
tellWidth();
