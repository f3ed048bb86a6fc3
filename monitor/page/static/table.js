// All label sets: sorted by a column, filtered by typing; a name opens its history.

import { $, h, say } from "./dom.js";
import { part, setParts } from "./address.js";
import { SEGMENTS, levelWord, mark, minute, newYork, quantity, score } from "./words.js";

const FEW = 100;
const STEADY_MS = 2000; // so long rows keep their places, to be read
const BUSY_MS = 10_000; // and so long after somebody was among them
const LONGEST_MS = 30_000; // but no longer than that in all: what gets bad must come up
const COLUMNS = [
  ["what", "What", ""], ["where", "Where", "where"], ["value", "Value", "number"], ["score", "Score", "score"],
  ["level", "Level", "level-cell"], ["since", "Since", "since"],
];
const FIRST_DOWN = new Set(["value", "score", "level", "since"]);
const [VALUE, LEVEL, BLIND, SCORE, DAY, SINCE] = [0, 1, 2, 3, 4, 5];

function rank(now) {
  return now[LEVEL] == null && !now[BLIND] ? -1 : (now[LEVEL] ?? 0) + (now[BLIND] ? 0.5 : 0);
}

/** Everything that the filter looks at, and what is sorted by. */
function lineOf(store, id, now) {
  const [signal, ...labels] = store.get(`series/${id}`);
  const about = store.get(`about/${signal}`);
  const where = labels.filter(Boolean).join(", ");
  const level = levelWord(now[LEVEL], now[BLIND]);
  const text = `${about.title} ${where} ${signal} ${SEGMENTS[about.segment]} ${about.segment} ${level}`.toLowerCase();
  return { id, now, about, where, level, text };
}

const KEYS = {
  what: (line) => line.about.title, where: (line) => line.where, value: (line) => line.now[VALUE],
  score: (line) => line.now[SCORE], level: (line) => rank(line.now), since: (line) => line.now[SINCE],
};

function compared(a, b) {
  if (a == null || b == null) return (a == null) - (b == null);
  return typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
}

export class Table {
  constructor(store, open) {
    this.store = store;
    this.open = open;
    this.rows = new Map();
    this.shown = [];
    this.isAll = false;
    this.orderedAt = 0;
    this.touchedAt = 0;
    this.isPending = false;
    this.heads = COLUMNS.map(([key, title, kind]) => {
      const button = h("button", { type: "button", onclick: () => this.#sortBy(key) }, title);
      return h("th", { class: kind, scope: "col" }, button, h("span", { "aria-hidden": true }));
    });
    $("table").tHead.replaceChildren(h("tr", {}, ...this.heads));
    for (const kind of ["pointermove", "keydown", "focusin"]) {
      $("table").tBodies[0].addEventListener(kind, () => { this.touchedAt = Date.now(); });
    }
    $("all").addEventListener("click", () => { this.isAll = true; this.order(); });
    $("filter").addEventListener("input", () => { setParts({ filter: $("filter").value }); this.order(); });
    addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || /INPUT|TEXTAREA/.test(document.activeElement.tagName)) return;
      event.preventDefault();
      $("filter").focus();
    });
  }

  /** Show what matches, and go there. */
  filter(words) {
    setParts({ filter: words });
    this.readAddress();
    $("filter").focus();
    $("table-title").scrollIntoView();
  }

  /** The view that the address says. */
  readAddress() {
    if ($("filter").value !== part("filter")) $("filter").value = part("filter");
    this.order();
  }

  /** Values anew, places soon. */
  draw() {
    this.isPending = true;
    for (const id of this.shown) this.#fill(id);
    this.settle();
  }

  /** The order anew if something has changed, and nobody reads; called now and then. */
  settle() {
    const now = Date.now();
    const steady = now - this.touchedAt < BUSY_MS ? LONGEST_MS : STEADY_MS;
    if (this.isPending && now - this.orderedAt >= steady) this.order();
  }

  /** Which rows are shown, and in which order. */
  order() {
    this.orderedAt = Date.now();
    this.isPending = false;
    const [key, isDown] = this.#sorting();
    const words = part("filter").toLowerCase().split(/\s+/).filter(Boolean);
    const lines = [];
    let total = 0;
    for (const [id, now] of this.store.below("now")) {
      total += 1;
      const line = lineOf(this.store, id, now);
      if (words.every((word) => line.text.includes(word))) lines.push(line);
    }
    const by = KEYS[key];
    const worst = (a, b) => rank(b.now) - rank(a.now) || (b.now[SCORE] ?? -1) - (a.now[SCORE] ?? -1);
    const direct = (a, b) => (isDown && by(a) != null && by(b) != null ? -1 : 1) * compared(by(a), by(b));
    lines.sort((a, b) => direct(a, b) || worst(a, b) || (a.id < b.id ? -1 : 1));
    const some = this.isAll ? lines : lines.slice(0, FEW);
    this.shown = some.map((line) => line.id);
    const rows = some.map((line) => this.#row(line.id));
    const body = $("table").tBodies[0];
    const active = document.activeElement;
    rows.forEach((row, at) => { if (body.children[at] !== row) body.insertBefore(row, body.children[at] ?? null); });
    while (body.childElementCount > rows.length) body.lastElementChild.remove();
    if (active !== document.activeElement && body.contains(active)) active.focus({ preventScroll: true });
    for (const id of [...this.rows.keys()]) if (this.store.get(`now/${id}`) === undefined) this.rows.delete(id);
    for (const id of this.shown) this.#fill(id);
    const { series } = this.store.get("head");
    const left = series > total ? `, of ${series.toLocaleString("en-US")} in all` : "";
    say($("shown"), `${some.length} of ${lines.length}${lines.length < total ? ` that match, of ${total}` : ""}${left}`);
    $("all").hidden = some.length === lines.length;
    say($("all"), `Show all ${lines.length}`);
    this.heads.forEach((head, at) => {
      const isOne = COLUMNS[at][0] === key;
      head.setAttribute("aria-sort", isOne ? (isDown ? "descending" : "ascending") : "none");
      say(head.lastChild, isOne ? (isDown ? " ▾" : " ▴") : "");
    });
  }

  #sorting() {
    const said = part("sort");
    const key = said.replace(/^-/, "");
    return Object.hasOwn(KEYS, key) ? [key, said.startsWith("-")] : ["level", true];
  }

  #sortBy(key) {
    const [before, isDown] = this.#sorting();
    const down = before === key ? !isDown : FIRST_DOWN.has(key);
    setParts({ sort: `${down ? "-" : ""}${key}` });
    this.order();
  }

  #row(id) {
    if (!this.rows.has(id)) {
      const bar = h("span", { class: "bar", "aria-hidden": true }, h("i"));
      const row = h("tr", {}, h("td", {}, h("button", { type: "button", onclick: () => this.open(id) })),
        h("td", { class: "where" }), h("td", { class: "number" }), h("td", { class: "score" }, bar, h("span")),
        h("td", {}, h("span")), h("td", { class: "since" }));
      this.rows.set(id, row);
    }
    return this.rows.get(id);
  }

  #fill(id) {
    const now = this.store.get(`now/${id}`);
    const row = this.rows.get(id);
    if (!now) row?.remove(); // it is at its end
    const { until } = this.store.get("head");
    const day = until == null ? "" : newYork(until).slice(0, 10);
    if (!now || !row || (row.now === now && row.day === day)) return;
    row.now = now;
    row.day = day;
    const { about, where, level } = lineOf(this.store, id, now);
    const [what, place, value, bar, state, since] = row.children;
    row.className = level;
    say(what.firstChild, about.title);
    say(place, where);
    say(value, now[VALUE] == null ? "–" : quantity(now[VALUE], about.unit));
    bar.firstChild.firstChild.style.width = `${Math.round(100 * (now[SCORE] ?? 0))}%`;
    say(bar.lastChild, ` ${score(now[SCORE])}`);
    state.firstChild.className = level ? `level ${level}` : "";
    say(state.firstChild, level ? `${mark(level)} ${level}` : "");
    say(since, now[SINCE] == null ? now[DAY] ?? "" : minute(now[SINCE], until));
  }
}
