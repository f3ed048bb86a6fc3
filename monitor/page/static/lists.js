// The five segments, what fires, and what changed, in words.

import { $, chip, h, say } from "./dom.js";
import { FIRST_SCORE, indexPoints, sparkline } from "./charts.js";
import { LEVELS, SEGMENTS, levelWord, mark, minute, score } from "./words.js";

const NAMES = Object.keys(SEGMENTS);
const SVG = "http://www.w3.org/2000/svg";

function tile() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("aria-hidden", "true");
  for (const [stroke, width, dash] of [["var(--line)", 1, ""], ["var(--text)", 1.5, ""], ["var(--blind)", 8, "2 4"]]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("fill", "none");
    path.setAttribute("stroke", stroke);
    path.setAttribute("stroke-width", width);
    path.setAttribute("stroke-dasharray", dash);
    path.setAttribute("vector-effect", "non-scaling-stroke");
    svg.append(path);
  }
  return h("li", {}, h("div", { class: "top" }, h("h3"), h("span", { class: "score" })), h("div"), svg, h("p"));
}

export function drawSegments(store) {
  const list = $("segments");
  if (!list.childElementCount) list.replaceChildren(...NAMES.map(tile));
  const points = indexPoints(store);
  NAMES.forEach((name, at) => {
    const of = store.get(`segment/${name}`);
    const word = of.blind ? "blind" : of.score == null ? "not seen" : levelWord(of.level, false) || "no levels";
    const [top, state, svg, worst] = list.children[at].children;
    list.children[at].className = word;
    say(top.children[0], SEGMENTS[name]);
    say(top.children[1], score(of.score));
    if (state.textContent !== `${mark(word)} ${word}`) state.replaceChildren(chip(word, mark(word)));
    sparkline(svg, points, FIRST_SCORE + at);
    say(worst, of.worst ?? (of.blind ? "no sound data: its level stays until there is" : "no value yet"));
  });
}

const wordOf = (alert) => (alert.blind_since != null ? "blind" : LEVELS[alert.level]);
const isWorse = (a, b) =>
  b.level - a.level || b.headline - a.headline || (b.score ?? 0) - (a.score ?? 0) || a.since - b.since;

/** What fires, the worst first: of each signal and level the worst in a sentence, and how many more there are. */
export function drawFires(store, show) {
  const head = store.get("head");
  const groups = new Map();
  for (const [, each] of store.below("alert")) {
    const key = `${each.signal} ${wordOf(each)}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  for (const group of groups.values()) group.sort(isWorse);
  const worstFirst = [...groups.values()].sort(([a], [b]) => isWorse(a, b));
  say($("fires-count"), groups.size ? `${head.critical} critical, ${head.warning} warnings, ${head.blind} blind` : "");
  const lines = worstFirst.map(([worst, ...others]) => {
    const word = wordOf(worst);
    const was = worst.blind_since != null && worst.level ? ` It was ${LEVELS[worst.level]}.` : "";
    const more = others.length ? h("button", { type: "button", onclick: () => show(`${worst.signal} ${word}`) },
      `and ${others.length} more`) : null;
    const said = worst.sentence + was;
    return [() => h("li", {}, chip(word, mark(word)), h("span", { class: "said" }, said), h("span", { class: "do" }, more,
      h("a", { href: worst.runbook }, "what to do", h("span", { class: "unseen" }, ` about ${worst.alert}`)))),
    `${said} ${others.length}`];
  });
  redraw($("fires"), lines, head.index == null ? "Nothing is known yet." : "Nothing fires.");
}

export function drawTold(store) {
  const told = [...store.below("told")].sort((a, b) => b[0] - a[0]).map(([, each]) => each);
  const now = store.get("head").until;
  redraw($("told"), told.map(([tick, to, , sentence]) => [() => h("li", {},
    h("time", { datetime: new Date(tick * 1000).toISOString() }, minute(tick, now)), chip(to, mark(to)),
    h("span", { class: "said" }, sentence)), `${minute(tick, now)}${to}${sentence}`]), "Nothing has changed since this process began.");
}

/** Lines by their text: what stays is not made anew, so focus and selection stay. */
function redraw(list, lines, none) {
  const wanted = lines.length ? lines : [[() => h("li", { class: "none" }, none), none]];
  wanted.forEach(([make, key], at) => {
    const there = list.children[at];
    if (there?.dataset.key === String(key)) return;
    const made = make();
    made.dataset.key = String(key);
    const tag = there?.contains(document.activeElement) ? document.activeElement.tagName : null;
    if (!there) list.append(made);
    else there.replaceWith(made);
    if (tag) (made.querySelector(tag) ?? list).focus({ preventScroll: true });
  });
  while (list.childElementCount > wanted.length) list.lastElementChild.remove();
}
