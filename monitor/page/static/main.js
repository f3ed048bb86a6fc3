// Puts the page together: what the server brought with it is drawn at once, then what it pushes.

import { $, say } from "./dom.js";
import { listen, part } from "./address.js";
import { drawIndex, drawParts } from "./charts.js";
import { Detail } from "./detail.js";
import { drawFoot, drawHead } from "./head.js";
import { Link } from "./link.js";
import { drawFires, drawSegments, drawTold } from "./lists.js";
import { Store } from "./store.js";
import { Table } from "./table.js";
import { lasting } from "./words.js";

const CHART_MS = 1000; // the eye follows a line no faster

const store = new Store();
const detail = new Detail(store);
const table = new Table(store, (id) => detail.open(id));
const dirty = new Set();
let chartedAt = 0;
let staleSince = null;

const DRAWN = [
  [["head", "clock"], () => drawHead(store, staleSince != null)],
  [["segment", "index"], () => drawSegments(store)],
  [["alert", "head"], () => drawFires(store, (filter) => table.filter(filter))],
  [["told"], () => drawTold(store)],
  [["now", "series"], () => table.draw()],
  [["now"], () => detail.draw()],
];

/** A part that cannot be drawn must not keep others from it; and it must not stand there as if it were. */
function attempt(act) {
  try {
    act();
  } catch (error) {
    $("broken").hidden = false;
    say($("broken"), `A part of this page could not be drawn, and may be old: ${error.message}. Load it anew.`);
    console.error(error);
  }
}

function draw() {
  for (const [kinds, act] of DRAWN) if (kinds.some((kind) => dirty.has(kind))) attempt(act);
  const isChartsTime = Date.now() - chartedAt >= CHART_MS;
  const areCharts = dirty.has("index") || dirty.has("mark") || dirty.has("charts");
  dirty.clear();
  if (areCharts && isChartsTime) {
    chartedAt = Date.now();
    attempt(() => drawIndex(store));
    attempt(() => drawParts(store));
  } else if (areCharts) {
    dirty.add("charts");
  }
}

let isAsked = false;
function wantDraw() {
  if (isAsked) return;
  isAsked = true;
  const act = () => { if (isAsked) { isAsked = false; draw(); } };
  requestAnimationFrame(act);
  setTimeout(act, 200); // a page that is not in view is not painted, and still has a title
}

store.listen((kinds) => {
  kinds.forEach((kind) => dirty.add(kind));
  wantDraw();
});

function drawStale() {
  const stale = $("stale");
  document.body.classList.toggle("is-stale", staleSince != null);
  stale.hidden = staleSince == null;
  if (staleSince == null) return;
  const at = new Date(staleSince).toLocaleTimeString("en-GB");
  if (!stale.childElementCount) stale.replaceChildren(document.createElement("span"), document.createElement("span"));
  // The first part is read out once; the second counts.
  say(stale.children[0], `Not connected since ${at} on your clock. What is shown is old, not calm. `);
  stale.children[1].setAttribute("aria-hidden", "true");
  say(stale.children[1], lasting((Date.now() - staleSince) / 1000));
}

let version = null;

function takeWhole(state) {
  // Another version of the monitor brings another page.
  if (version != null && version !== state.head.version) location.reload();
  version = state.head.version;
  store.whole(state);
  drawFoot(store);
  openFromAddress();
}

const link = new Link({
  whole: takeWhole,
  change: (change) => store.change(change),
  lost: (since) => { staleSince = since; drawStale(); drawHead(store, true); },
  back: () => { staleSince = null; drawStale(); drawHead(store, false); detail.reload(); },
});

function openFromAddress() {
  table.readAddress();
  if (part("open")) detail.open(part("open"));
  else if ($("detail").open) detail.close();
}

$("skip").addEventListener("click", (event) => { event.preventDefault(); $("filter").focus(); });
link.begin(JSON.parse($("whole").textContent));
draw();
link.connect();
listen(openFromAddress);
setInterval(() => { drawStale(); table.settle(); if (dirty.size) wantDraw(); }, 500);
$("plotly").addEventListener("load", () => { dirty.add("charts"); dirty.add("now"); chartedAt = 0; wantDraw(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { dirty.add("charts"); dirty.add("now"); chartedAt = 0; wantDraw(); });
