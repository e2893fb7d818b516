"use strict";
// What the whole page does: its address, the setups that are shown, sorting, tips, print.
const byId = (id) => document.getElementById(id);

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
const COLOURS = 14;
const dot = (place) => make("i", { class: `dot s${place % COLOURS}` });

// The address: #name=value&name=value

function parameters() {
  const pairs = location.hash.slice(1).split("&").filter((part) => part.includes("="));
  return new Map(pairs.map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]));
}

function parameter(name) {
  const value = parameters().get(name);
  if (value === undefined) return null;
  try { return decodeURIComponent(value); } catch { return null; }
}

// A sample comes with its own escapes; what is empty is left out.
function setParameters(changes) {
  const known = parameters();
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") known.delete(name);
    else known.set(name, name === "sample" ? value : encodeURIComponent(value));
  }
  const order = ["sample", ...[...known.keys()].filter((name) => name !== "sample")];
  const parts = order.filter((name) => known.has(name)).map((name) => `${name}=${known.get(name)}`);
  history.replaceState(null, "", parts.length ? "#" + parts.join("&") : location.pathname + location.search);
}

// The setups that are shown, everywhere

const boxes = [...document.querySelectorAll("#picker input")];

function pick() {
  const out = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
  for (const element of document.querySelectorAll("[data-s]")) element.toggleAttribute("hidden", out.has(element.dataset.s));
  for (const plot of document.querySelectorAll("svg.plot")) if (plot.querySelector(".row")) restack(plot);
}

// Closes the gaps of rows that are left out: a row is 24 high.
function restack(plot) {
  const all = [...plot.querySelectorAll(".row")];
  let shown = 0;
  for (const [place, row] of all.entries()) {
    row.setAttribute("transform", `translate(0 ${24 * (shown - place)})`);
    if (!row.hasAttribute("hidden")) shown += 1;
  }
  const gone = 24 * (all.length - shown);
  for (const axis of plot.querySelectorAll(".axis")) axis.setAttribute("transform", `translate(0 ${-gone})`);
  const share = all.length ? shown / all.length : 1;
  for (const grid of plot.querySelectorAll(".grid")) grid.setAttribute("transform", `translate(0 ${8 * (1 - share)}) scale(1 ${share})`);
  plot.dataset.high = plot.dataset.high || plot.viewBox.baseVal.height;
  plot.setAttribute("viewBox", `0 0 ${plot.viewBox.baseVal.width} ${plot.dataset.high - gone}`);
}

function choose(wanted) {
  for (const box of boxes) box.checked = wanted(box);
  picked();
}

function picked() {
  const names = boxes.filter((box) => box.checked).map((box) => encodeURIComponent(box.dataset.name));
  setParameters({ setups: names.length === boxes.length ? "" : names.join(",") });
  pick();
}

function startPicking() {
  if (!boxes.length) return;
  byId("picker").hidden = false;
  const names = parameter("setups");
  if (names !== null) {
    const kept = new Set(names.split(",").map((name) => { try { return decodeURIComponent(name); } catch { return name; } }));
    for (const box of boxes) box.checked = kept.has(box.dataset.name);
  }
  byId("picker").addEventListener("change", picked);
  byId("pick-all").addEventListener("click", () => choose(() => true));
  byId("pick-best").addEventListener("click", () => choose((box) => "best" in box.dataset));
  pick();
}

// Tables that can be sorted

function sort(button) {
  const head = button.closest("th"), table = button.closest("table");
  const column = [...head.parentElement.children].indexOf(head);
  const turn = head.getAttribute("aria-sort") === (button.dataset.first || "descending");
  const up = turn ? button.dataset.first === "ascending" ? -1 : 1 : button.dataset.first === "ascending" ? 1 : -1;
  const value = (row) => { const v = row.children[column].dataset.v; return v === undefined || v === "" ? null : Number(v); };
  const rows = [...table.tBodies[0].rows].sort((a, b) => {
    const [one, two] = [value(a), value(b)];
    if (one === null || two === null) return (one === null) - (two === null);
    return up * (one - two);
  });
  table.tBodies[0].append(...rows);
  for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up > 0 ? "ascending" : "descending");
}

// Tips of pictures

function startTips() {
  const tip = make("div", { id: "tip", role: "tooltip", hidden: "" });
  document.body.append(tip);
  const leave = () => { tip.hidden = true; };
  document.addEventListener("pointerover", (event) => {
    const mark = event.target.closest && event.target.closest("[data-tip]");
    if (!mark) return leave();
    tip.textContent = mark.dataset.tip;
    tip.hidden = false;
  });
  document.addEventListener("pointermove", (event) => {
    if (tip.hidden) return;
    const across = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    tip.style.left = Math.max(8, across) + "px";
    tip.style.top = (event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18) + "px";
  });
  addEventListener("scroll", leave, { passive: true });
}

// On paper nothing is folded

function startPrinting() {
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const fold of closed) fold.open = true;
  });
  addEventListener("afterprint", () => { for (const fold of closed) fold.open = false; });
}

startPicking();
startTips();
startPrinting();
for (const button of document.querySelectorAll("th > button")) button.addEventListener("click", () => sort(button));
