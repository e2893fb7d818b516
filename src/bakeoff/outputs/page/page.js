// The samples' browser. Untrusted texts go into the page as text, never as markup.
const PAGE = 50;
const MARKS = { r: "✓", p: "~", w: "✗", u: "?", f: "!", s: "·", "-": "–" };
const FILTERS = ["question", "task", "setup", "outcome", "tag", "text"];
const FEW = 5;
const unpacked = new Map();

function unpack(name) {
  if (!unpacked.has(name)) unpacked.set(name, unpackNow(name));
  return unpacked.get(name);
}

async function unpackNow(name) {
  const packed = Uint8Array.from(atob(byId("piece-" + name).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

const number = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(3));
const seconds = (s) => (s >= 0.1 ? s.toFixed(2) + " s" : Math.round(s * 1000) + " ms");

let about, rows, matching, current, page = 0, started = false;

// Filters

function options(select, choices) {
  select.replaceChildren(...choices.map(([value, text]) => make("option", { value, text })));
}

function fillFilters() {
  options(byId("f-question"), [["", "every sample"],
    ...about.questions.map((q, i) => [i, q.label])]);
  options(byId("f-task"), [["", "all"], ...about.tasks.map((t, i) => [i, t.name])]);
  options(byId("f-setup"), [["", "any"], ...about.setups.map((s, i) => [i, s.name])]);
  options(byId("f-outcome"), [["", "any"], ...Object.entries(about.outcomes)]);
  byId("order").replaceChildren("Marks in the order ",
    ...about.setups.flatMap(({ name }, i) => [i ? ", " : "", isolated(name)]), ".");
  fillTags();
  for (const name of FILTERS) {
    const value = parameter(name);
    if (value !== null) byId("f-" + name).value = value;
    if (name === "task") fillTags();
  }
}

function fillTags() {
  const tags = new Map();
  for (const [place, task] of about.tasks.entries()) {
    if (!["", String(place)].includes(byId("f-task").value)) continue;
    for (const [name, value] of task.tags) tags.set(JSON.stringify([name, value]), name + " = " + value);
  }
  const kept = byId("f-tag").value;
  options(byId("f-tag"), [["", "any"], ...tags]);
  if (tags.has(kept)) byId("f-tag").value = kept;
}

function predicate() {
  const [question, task, setup, outcome, tag] =
    ["question", "task", "setup", "outcome", "tag"].map((name) => byId("f-" + name).value);
  const filter = question === "" ? null : about.questions[Number(question)];
  const pair = tag === "" ? null : JSON.parse(tag);
  return (row) =>
    (task === "" || row.task === Number(task)) &&
    (outcome === "" || (setup === "" ? row.letters.includes(outcome)
      : row.letters[Number(setup)] === outcome)) &&
    (setup === "" || row.letters[Number(setup)] !== "-") &&
    (!pair || row.tags.some(([name, value]) => name === pair[0] && value === pair[1])) &&
    (!filter || answersTo(filter, row.letters));
}

function answersTo(question, letters) {
  const holds = ([setup, ones]) => ones.includes(letters[setup]);
  const asked = question.all.filter(([setup]) => letters[setup] !== "-");
  if (question.all.length && (!asked.length || !asked.every(holds))) return false;
  if (question.pair && asked.length < question.all.length) return false;
  return !question.any.length || question.any.some(holds);
}

async function texts(row) {
  if (row.searched === undefined) {
    const sample = await detail(row);
    const answers = sample.answers.flat().flatMap((a) => (a.parts || []).map((p) => (Array.isArray(p) ? p[0] : p)));
    const given = sample.fields.map(([, value]) => value);
    row.searched = [row.id, ...given, ...sample.targets, answers.join("")].join("\n").toLowerCase();
  }
  return row.searched;
}

function detail(row) {
  const piece = Math.floor(row.place / about.piece);
  return unpack(`samples-${row.task}-${piece}`).then((some) => some[row.place % about.piece]);
}

let filtering = 0;
async function filter() {
  const mine = ++filtering;
  let some = rows.filter(predicate());
  const text = byId("f-text").value.trim().toLowerCase();
  if (text) {
    const hits = await Promise.all(some.map(async (row) => (await texts(row)).includes(text)));
    some = some.filter((_, i) => hits[i]);
  }
  if (mine !== filtering) return;
  matching = some;
  page = Math.max(0, Math.floor(matching.indexOf(current) / PAGE));
  list();
  if (matching.length && !matching.includes(current)) show(matching[0]);
  remember();
}

// The address holds what is looked at, so that it can be passed on.
function remember() {
  const chosen = Object.fromEntries(FILTERS.map((name) => [name, byId("f-" + name).value.trim()]));
  const sample = current && started ? place(current) : null;
  setParameters({ ...(sample === null ? {} : { sample }), ...chosen });
}

// The list

function list() {
  const first = page * PAGE;
  byId("list").replaceChildren(...matching.slice(first, first + PAGE).map(item));
  if (!matching.length) byId("list").append(nothing());
  const held = about.tasks.reduce((sum, t) => sum + t.shown, 0);
  const all = about.tasks.reduce((sum, t) => sum + t.n, 0);
  byId("count").textContent = `${matching.length} of ${held} samples` +
    (all > held ? `; the run has ${all}, and this page holds the first of each task` : "");
  const pages = Math.max(1, Math.ceil(matching.length / PAGE));
  byId("pages").textContent = `${page + 1} of ${pages}`;
  byId("before").disabled = page === 0;
  byId("after").disabled = page + 1 >= pages;
}

function nothing() {
  const clear = make("button", { type: "button", text: "Clear the filters" });
  clear.addEventListener("click", () => {
    for (const name of FILTERS) byId("f-" + name).value = "";
    fillTags();
    filter();
  });
  return make("li", { class: "nothing" }, make("p", { text: "No sample matches these filters." }), clear);
}

function outcomes(row) {
  return [...row.letters].map((letter, i) => `${about.setups[i].name} ${about.outcomes[letter]}`).join(", ");
}

function marks(row) {
  const few = about.setups.length <= FEW;
  const shown = [...row.letters].map((letter, i) => {
    const { name } = about.setups[i];
    const sign = make("span", { class: "m-" + letter, text: MARKS[letter] });
    return make("span", { class: "mark", "data-s": i, title: `${name}: ${about.outcomes[letter]}` },
      sign, ...(few ? [isolated(name)] : []));
  });
  return make("span", { class: few ? "marks named" : "marks", "aria-hidden": "true" }, ...shown);
}

function item(row) {
  const link = make("a", { href: address(row) },
    make("span", { class: "line" }, isolated(row.id)),
    make("span", { class: "question", text: row.question }),
    marks(row),
    make("span", { class: "hidden", text: outcomes(row) }));
  if (row === current) link.setAttribute("aria-current", "true");
  row.link = link;
  return make("li", {}, link);
}

function place(row) {
  const name = (text) => encodeURIComponent(text.toWellFormed ? text.toWellFormed() : text);
  return `${name(about.tasks[row.task].name)}/${name(row.id)}`;
}

const address = (row) => "#sample=" + place(row);

function linkedRow() {
  const [task, ...rest] = (parameters().get("sample") || "").split("/");
  if (!rest.length) return null;
  try {
    const [name, id] = [decodeURIComponent(task), decodeURIComponent(rest.join("/"))];
    return rows.find((row) => about.tasks[row.task].name === name && row.id === id) || null;
  } catch {
    return null;
  }
}

// One sample

let showing = 0;
async function show(row) {
  const mine = ++showing;
  if (current && current.link) current.link.removeAttribute("aria-current");
  current = row;
  const place = matching.indexOf(row);
  if (place >= 0 && Math.floor(place / PAGE) !== page) {
    page = Math.floor(place / PAGE);
    list();
  }
  if (row.link) {
    row.link.setAttribute("aria-current", "true");
    within(byId("list"), row.link);
  }
  const sample = await detail(row);
  const numbers = new Set(sample.answers.flat().flatMap((a) => a.passages || []));
  const passages = new Map();
  for (const n of numbers) {
    const some = await unpack(`passages-${Math.floor(n / about.piece)}`);
    passages.set(n, some[n % about.piece]);
  }
  if (mine !== showing) return;
  const task = about.tasks[row.task];
  const heading = make("h3", { tabindex: "-1" }, isolated(task.name), " / ", isolated(row.id));
  byId("sample").replaceChildren(heading, ...question(sample),
    make("div", { class: "answers" },
      ...sample.answers.map((some, i) => card(i, some, row, sample, passages)).filter(Boolean)),
    make("p", { class: "note" }, make("b", { class: "hit", text: "Bold" }), ": words of the target. ",
      make("span", { class: "only", text: "Dotted" }), ": words that no other setup's answer has."));
  pick();
}

function within(box, element) {
  const [outer, inner] = [box.getBoundingClientRect(), element.getBoundingClientRect()];
  if (inner.top < outer.top) box.scrollTop -= outer.top - inner.top;
  if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom;
}

// Navigation

function move(step) {
  if (!matching.length) return;
  const place = matching.indexOf(current);
  const next = matching[place < 0 ? 0 : Math.min(Math.max(place + step, 0), matching.length - 1)];
  if (next === current) return;
  const listed = byId("list").contains(document.activeElement);
  byId("announcement").textContent = `${next.id}: ${outcomes(next)}`;
  show(next);
  remember();
  if (listed && next.link) next.link.focus();
}

async function follow() {
  const row = linkedRow();
  byId("absent").hidden = !parameters().get("sample") || row !== null;
  if (!row || row === current) return;
  if (!matching.includes(row)) {
    for (const name of FILTERS) byId("f-" + name).value = "";
    matching = rows;
    page = Math.floor(rows.indexOf(row) / PAGE);
    list();
  }
  await show(row);
  remember();
  const listed = byId("list").contains(document.activeElement);
  // Where the list is above the sample, the sample would be out of sight.
  if (matchMedia("(max-width: 52rem)").matches) byId("sample").scrollIntoView();
  else if (!listed) byId("samples").scrollIntoView();
}

function listen() {
  const later = (call, wait) => { let timer; return () => { clearTimeout(timer); timer = setTimeout(call, wait); }; };
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("change", (event) => {
    if (event.target.id === "f-task") fillTags();
    if (event.target.id !== "f-text") filter();
  });
  byId("f-text").addEventListener("input", later(filter, 150));
  byId("before").addEventListener("click", () => { page -= 1; list(); });
  byId("after").addEventListener("click", () => { page += 1; list(); });
  addEventListener("hashchange", follow);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const step = { j: 1, k: -1 }[event.key] ||
      (byId("list").contains(event.target) ? { ArrowDown: 1, ArrowUp: -1 }[event.key] : 0);
    if (step) { event.preventDefault(); move(step); }
  });
}

async function start() {
  if (typeof DecompressionStream === "undefined") {
    byId("samples").append(make("p", { class: "warn", text: "This browser cannot unpack the samples; a newer one can." }));
    return;
  }
  about = await unpack("about");
  const lists = await Promise.all(about.tasks.map((_, i) => unpack("list-" + i)));
  rows = lists.flatMap((some, task) => some.map(([id, question, letters, tags], place) =>
    ({ task, place, id, question, letters, tags })));
  matching = rows;
  fillFilters();
  byId("browser").hidden = false;
  listen();
  const linked = linkedRow();
  await filter();
  if (!linked && matching.length) await show(matching[0]);
  await follow();
  started = true;
  document.documentElement.dataset.ready = "";
}

start();
