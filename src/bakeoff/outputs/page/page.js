"use strict";
// The samples' browser. Texts of strangers go into the page as text alone, never as markup.
(() => {
  const PAGE = 50;
  const MARKS = { r: "✓", p: "~", w: "✗", u: "?", f: "!", s: "·", "-": "–" };
  const byId = (id) => document.getElementById(id);
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

  function make(tag, given = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(given)) {
      if (name === "text") element.textContent = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  const isolated = (text) => make("bdi", { text });
  const number = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(3));
  const seconds = (s) => (s >= 0.1 ? s.toFixed(2) + " s" : Math.round(s * 1000) + " ms");

  let about, rows, found, current, page = 0;

  // What is asked of the samples

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

  function wanted() {
    const [question, task, setup, outcome, tag] =
      ["question", "task", "setup", "outcome", "tag"].map((name) => byId("f-" + name).value);
    const asked = question === "" ? null : about.questions[Number(question)];
    const pair = tag === "" ? null : JSON.parse(tag);
    return (row) =>
      (task === "" || row.task === Number(task)) &&
      (outcome === "" || (setup === "" ? row.letters.includes(outcome)
        : row.letters[Number(setup)] === outcome)) &&
      (setup === "" || row.letters[Number(setup)] !== "-") &&
      (!pair || row.tags.some(([name, value]) => name === pair[0] && value === pair[1])) &&
      (!asked || answersTo(asked, row.letters));
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
      const said = sample.answers.flat().flatMap((a) => (a.parts || []).map((p) => (Array.isArray(p) ? p[0] : p)));
      const given = sample.fields.map(([, value]) => value);
      row.searched = [row.id, ...given, ...sample.targets, said.join("")].join("\n").toLowerCase();
    }
    return row.searched;
  }

  function detail(row) {
    const piece = Math.floor(row.place / about.piece);
    return unpack(`samples-${row.task}-${piece}`).then((some) => some[row.place % about.piece]);
  }

  let asking = 0;
  async function filter() {
    const mine = ++asking;
    let some = rows.filter(wanted());
    const text = byId("f-text").value.trim().toLowerCase();
    if (text) {
      const hits = await Promise.all(some.map(async (row) => (await texts(row)).includes(text)));
      some = some.filter((_, i) => hits[i]);
    }
    if (mine !== asking) return;
    found = some;
    page = Math.max(0, Math.floor(found.indexOf(current) / PAGE));
    list();
  }

  // The list

  function list() {
    const first = page * PAGE;
    byId("list").replaceChildren(...found.slice(first, first + PAGE).map(item));
    const held = about.tasks.reduce((sum, t) => sum + t.shown, 0);
    const all = about.tasks.reduce((sum, t) => sum + t.n, 0);
    byId("count").textContent = `${found.length} of ${held} samples` +
      (all > held ? `; the run has ${all}, and this page holds the first of each task` : "");
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    byId("pages").textContent = `${page + 1} of ${pages}`;
    byId("before").disabled = page === 0;
    byId("after").disabled = page + 1 >= pages;
  }

  function said(row) {
    return [...row.letters].map((letter, i) => `${about.setups[i].name} ${about.outcomes[letter]}`).join(", ");
  }

  function marks(row) {
    const shown = [...row.letters].map((letter) => make("span", { class: "m-" + letter, text: MARKS[letter] }));
    return make("span", { class: "marks", "aria-hidden": "true", title: said(row) }, ...shown);
  }

  function item(row) {
    const link = make("a", { href: address(row) },
      make("span", { class: "line" }, isolated(row.id), marks(row)),
      make("span", { class: "question", text: row.question }),
      make("span", { class: "hidden", text: said(row) }));
    if (row === current) link.setAttribute("aria-current", "true");
    row.link = link;
    return make("li", {}, link);
  }

  function address(row) {
    const name = (text) => encodeURIComponent(text.toWellFormed ? text.toWellFormed() : text);
    return `#sample=${name(about.tasks[row.task].name)}/${name(row.id)}`;
  }

  function addressed() {
    const match = /^#sample=([^/]*)\/(.*)$/.exec(location.hash);
    if (!match) return null;
    try {
      const [task, id] = [decodeURIComponent(match[1]), decodeURIComponent(match[2])];
      return rows.find((row) => about.tasks[row.task].name === task && row.id === id) || null;
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
    const place = found.indexOf(row);
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
    byId("sample").replaceChildren(heading, ...asked(sample),
      make("div", { class: "answers" },
        ...sample.answers.map((some, i) => card(i, some, row, sample, passages)).filter(Boolean)));
  }

  function within(box, element) {
    const [outer, inner] = [box.getBoundingClientRect(), element.getBoundingClientRect()];
    if (inner.top < outer.top) box.scrollTop -= outer.top - inner.top;
    if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom;
  }

  function facts(pairs) {
    return make("dl", { class: "facts" }, ...pairs.map(([name, value]) =>
      make("div", {}, make("dt", {}, isolated(name)), make("dd", {}, isolated(value)))));
  }

  function asked(sample) {
    const question = sample.fields.find(([name]) => name === "question");
    const target = sample.targets.length ? sample.targets.join(" | ") : "none: declining is right";
    const pairs = [["target", target]];
    if (sample.gold.length) pairs.push(["gold documents", sample.gold.join(", ")]);
    if (sample.tags.length) pairs.push(["tags", sample.tags.map(([n, v]) => `${n} = ${v}`).join(", ")]);
    const skipped = ["question", "id", "cluster"];
    const others = sample.fields.filter(([name, value]) => !skipped.includes(name) && value);
    return [make("p", { class: "asked", dir: "auto", text: question ? question[1] : "" }), facts([...pairs, ...others])];
  }

  function card(place, answers, row, sample, passages) {
    const letter = row.letters[place];
    if (letter === "-") return null;
    const heading = make("h4", {}, isolated(about.setups[place].name),
      make("span", { class: "m-" + letter, text: `${MARKS[letter]} ${about.outcomes[letter]}` }));
    if (!answers.length) answers = [{ error: "no record of it", scores: [] }];
    const shown = answers.map((answer, n) => answered(answer, `p-${place}-${n}`, sample, passages));
    const section = make("section", { class: "answer", "aria-label": about.setups[place].name }, heading, ...shown[0]);
    shown.slice(1).forEach((parts, n) => section.append(
      make("details", {}, make("summary", { text: `Repeat ${n + 2}` }), ...parts)));
    return section;
  }

  function answered(answer, name, sample, passages) {
    if (answer.error !== undefined) {
      return [make("p", { class: "warn", text: "Failed: " + answer.error }), ...ended(answer), ...scores(answer)];
    }
    const text = make("p", { class: "text", dir: "auto", tabindex: "0", role: "group", "aria-label": "Answer" });
    for (const part of answer.parts) text.append(...stretch(part, name, answer.passages.length));
    if (!answer.parts.length) text.append(make("span", { class: "note", text: "(empty)" }));
    const kept = answer.parts.reduce((n, part) => n + [...(Array.isArray(part) ? part[0] : part)].length, 0);
    const parts = [text];
    if (answer.length > kept) {
      parts.push(make("p", { class: "warn", text:
        `Shortened: the first ${kept.toLocaleString("en")} of ${answer.length.toLocaleString("en")} characters.` }));
    }
    return [...parts, ...ended(answer), ...scores(answer), ...claims(answer, name), ...read(answer, name, sample, passages), ...spent(answer)];
  }

  // How the reply ended, where it did not end by itself.
  function ended(answer) {
    if (!answer.finish || answer.finish === "stop") return [];
    const more = answer.finish === "length" ? " (cut at max_tokens)" : "";
    return [make("p", { class: "warn" }, "Finish reason: ", isolated(answer.finish), more)];
  }

  function stretch(part, name, passages) {
    const [text, verdict] = Array.isArray(part) ? part : [part];
    const pieces = text.split(/(\[\d{1,3}\])/).map((piece) => {
      const n = /^\[(\d+)\]$/.exec(piece);
      return n && n[1] >= 1 && n[1] <= passages ? passageLink(name, Number(n[1]) - 1, piece) : piece;
    });
    if (!verdict) return pieces;
    return [make("mark", { class: verdict.replace(" ", "-"), title: verdict }, ...pieces)];
  }

  function passageLink(name, place, text) {
    const link = make("a", { href: `#${name}-${place}`, text, "aria-label": `Passage ${place + 1}` });
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const passage = byId(`${name}-${place}`);
      document.querySelectorAll(".passage.named").forEach((other) => other.classList.remove("named"));
      passage.closest("details").open = true;
      passage.classList.add("named");
      passage.focus();
    });
    return link;
  }

  function scores(answer) {
    if (!answer.scores.length) return [];
    const body = answer.scores.map(([metric, value, reason]) => make("tr", {},
      make("th", { scope: "row" }, isolated(metric)),
      make("td", { text: value === null ? "unjudged" : number(value) }),
      make("td", { class: "note" }, isolated(reason))));
    return [make("details", { open: "" }, make("summary", { text: "Scores" }), scrolled("Scores", make("table", {},
      make("thead", { class: "hidden" }, make("tr", {}, ...["metric", "score", "reason"].map((text) => make("th", { scope: "col", text })))),
      make("tbody", {}, ...body))))];
  }

  function scrolled(label, table) {
    return make("div", { class: "scroll", role: "group", tabindex: "0", "aria-label": label }, table);
  }

  function claims(answer, name) {
    const judged = answer.parts.filter(Array.isArray);
    if (!judged.length) return [];
    const counts = new Map();
    for (const [, verdict] of judged) counts.set(verdict, (counts.get(verdict) || 0) + 1);
    const words = [...counts].map(([verdict, n]) => `${n} ${verdict}`).join(", ");
    const items = judged.map(([text, verdict, chance, passage, missing]) => {
      const line = make("li", {}, isolated(text.slice(0, 120)), ` – ${verdict}`);
      if (chance !== null) line.append(` (${chance.toFixed(2)})`);
      if (missing.length) line.append("; not in the passages: ", isolated(missing.join(", ")));
      if (passage !== null && passage < answer.passages.length) line.append("; nearest: ", passageLink(name, passage, `[${passage + 1}]`));
      return line;
    });
    return [make("details", {}, make("summary", { text: `Claims: ${words}` }),
      make("p", { class: "note", text: `Held against this answer's own passages, by ${answer.by}.` }),
      make("ul", { class: "claims" }, ...items))];
  }

  function read(answer, name, sample, passages) {
    if (!answer.passages.length) return [];
    const shown = answer.passages.map((n, place) => {
      const [document, text] = passages.get(n);
      const gold = sample.gold.includes(document) ? " (gold)" : "";
      return make("div", { class: "passage", id: `${name}-${place}`, tabindex: "-1", dir: "auto" },
        make("strong", {}, `[${place + 1}] `, isolated(document), gold), text);
    });
    const n = answer.passages.length;
    return [make("details", {}, make("summary", { text: n === 1 ? "1 passage" : `${n} passages` }), ...shown)];
  }

  function spent(answer) {
    const timed = new Map((answer.times || []).filter(([, s]) => s !== null));
    const names = new Set([...answer.steps.map(([name]) => name), ...timed.keys()]);
    if (!names.size) return [];
    const body = [...names].map((name) => {
      const [, prompt, context, completion, cached] = answer.steps.find((step) => step[0] === name) || [name, 0, 0, 0, false];
      const tokens = [];
      if (prompt) tokens.push(`${prompt} read` + (context ? ` (${context} of passages)` : ""));
      if (completion) tokens.push(`${completion} written`);
      if (cached) tokens.push("from the cache");
      return make("tr", {}, make("th", { scope: "row" }, isolated(name)), make("td", { text: tokens.join(", ") || "–" }),
        make("td", { text: timed.has(name) ? seconds(timed.get(name)) : "–" }));
    });
    return [make("details", {}, make("summary", { text: "Tokens and time" }), scrolled("Tokens and time", make("table", {},
      make("thead", {}, make("tr", {}, ...["step", "tokens", "time, single request"].map((text) => make("th", { scope: "col", text })))),
      make("tbody", {}, ...body))))];
  }

  // Moving about

  function move(step) {
    if (!found.length) return;
    const place = found.indexOf(current);
    const next = found[place < 0 ? 0 : Math.min(Math.max(place + step, 0), found.length - 1)];
    if (next === current) return;
    const listed = byId("list").contains(document.activeElement);
    history.replaceState(null, "", address(next));
    byId("told").textContent = `${next.id}: ${said(next)}`;
    show(next);
    if (listed && next.link) next.link.focus();
  }

  async function follow() {
    const row = addressed();
    if (!row || row === current) return;
    await show(row);
    const listed = byId("list").contains(document.activeElement);
    // Where the list stands above the sample, the sample would be out of sight.
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
    found = rows;
    fillFilters();
    byId("browser").hidden = false;
    listen();
    list();
    follow();
    document.documentElement.dataset.ready = "";
  }

  start();
})();
