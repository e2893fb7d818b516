// One sample: its question, and a card for each setup.

function facts(pairs) {
  return make("dl", { class: "facts" }, ...pairs.map(([name, value]) =>
    make("div", {}, make("dt", {}, isolated(name)), make("dd", {}, isolated(value)))));
}

function question(sample) {
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
  const heading = make("h4", {}, make("span", {}, dot(place), isolated(about.setups[place].name)),
    make("span", { class: "m-" + letter, text: `${MARKS[letter]} ${about.outcomes[letter]}` }));
  if (!answers.length) answers = [{ error: "no record of it", scores: [] }];
  const shown = answers.map((answer, n) => answerParts(answer, `p-${place}-${n}`, sample, passages));
  const section = make("section", { class: "answer", "data-s": place, "aria-label": about.setups[place].name },
    heading, ...why(answers[0], row, letter), ...sameText(answers[0], place, sample), ...shown[0]);
  for (const text of section.querySelectorAll(".text")) compareWords(text, place, sample);
  shown.slice(1).forEach((parts, n) => section.append(
    make("details", {}, make("summary", { text: `Repeat ${n + 2}` }), ...parts)));
  return section;
}

const plainText = (answer) => (answer && answer.parts
  ? answer.parts.map((part) => (Array.isArray(part) ? part[0] : part)).join("") : null);

// Why an answer is not right: the reason of its headline score, before anything else.
function why(answer, row, letter) {
  if (answer.error !== undefined || !"pwu".includes(letter)) return [];
  const { headline } = about.tasks[row.task];
  const score = answer.scores.find(([metric]) => metric === headline);
  if (!score || !score[2]) return [];
  return [make("p", { class: "warn" }, isolated(headline), ": ", isolated(score[2]))];
}

function sameText(answer, place, sample) {
  const text = plainText(answer);
  if (text === null) return [];
  const same = about.setups.filter((_, i) => i !== place && plainText(sample.answers[i] && sample.answers[i][0]) === text);
  if (!same.length) return [];
  return [make("p", { class: "note" }, "The same text as ",
    ...same.flatMap(({ name }, i) => [i ? ", " : "", isolated(name)]), ".")];
}

const WORD = /([\p{L}\p{N}][\p{L}\p{N}\p{M}'’.,:-]*[\p{L}\p{N}\p{M}]|[\p{L}\p{N}])/u;
const wordsOf = (text) => new Set(text.toLowerCase().split(WORD).filter((_, i) => i % 2));

// Marks the words of the target, and those that no other setup's answer has.
function compareWords(element, place, sample) {
  const target = wordsOf(sample.targets.join(" "));
  const others = sample.answers.filter((_, i) => i !== place).map((some) => plainText(some[0])).filter((text) => text !== null);
  const known = wordsOf(others.join(" "));
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) if (!walker.currentNode.parentElement.closest("a, .note")) nodes.push(walker.currentNode);
  for (const node of nodes) {
    node.replaceWith(...node.data.split(WORD).map((part, i) => {
      if (i % 2 === 0) return part;
      const word = part.toLowerCase();
      if (target.has(word)) return make("b", { class: "hit", text: part });
      return others.length && !known.has(word) ? make("span", { class: "only", text: part }) : part;
    }));
  }
}

function answerParts(answer, name, sample, passages) {
  if (answer.error !== undefined) {
    return [make("p", { class: "warn", text: "Failed: " + answer.error }), ...ended(answer), ...scores(answer),
      ...prompt(answer, sample, passages)];
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
  return [...parts, ...ended(answer), ...scores(answer), ...claims(answer, name), ...passagesRead(answer, name, sample, passages),
    ...prompt(answer, sample, passages), ...usage(answer)];
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
  if (!judged.length) {
    if (!answer.passages.length || current.place < about.claimed) return [];
    return [make("p", { class: "note", text: `Claims are checked by words for the first ${about.claimed} samples of a task.` })];
  }
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
    make("p", { class: "note", text: `Checked against this answer's own passages, by ${answer.by}.` }),
    make("ul", { class: "claims" }, ...items))];
}

function passagesRead(answer, name, sample, passages) {
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

// What the model was asked, as text that can be copied.
function prompt(answer, sample, passages) {
  const chat = sample.prompts[answer.asked];
  if (!chat) return [];
  const context = (answer.passages || []).map((n, place) => {
    const [, text, title] = passages.get(n);
    return `[${place + 1}] ${title ? title + ": " : ""}${text}`;
  }).join("\n\n");
  const messages = chat.flatMap(([role, parts]) => {
    const text = make("pre", { class: "prompt", dir: "auto", tabindex: "0", role: "group",
      "aria-label": `Message of the ${role}`, text: parts.join(context) });
    const button = make("button", { type: "button", text: "Copy" });
    button.addEventListener("click", () => copy(text, button));
    return [make("p", { class: "line" }, isolated(role), button), text];
  });
  return [make("details", { class: "asks" }, make("summary", { text: "Prompt" }), ...messages,
    make("p", { class: "note", text: "Before the model's own chat template, where it has one." }))];
}

// Where a browser lets no page write its clipboard, the text is selected.
async function copy(element, button) {
  getSelection().selectAllChildren(element);
  try {
    await navigator.clipboard.writeText(element.textContent);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Selected: copy it with the keyboard";
  }
}

function usage(answer) {
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
