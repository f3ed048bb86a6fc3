// The pictures of the index, of what it is made of, and of one label set. Plotly comes from this server.

import { $, say } from "./dom.js";
import { LEVELS, SEGMENTS, mark, newYork, quantity, score } from "./words.js";

const NAMES = Object.keys(SEGMENTS);
const [INDEX, LOW, HIGH, , REGIME] = [0, 1, 2, 3, 4];
export const FIRST_SCORE = 6;
const FIRST_PART = FIRST_SCORE + NAMES.length;
const REGIMES = ["calm", "elevated", "stressed", "crisis"];
const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: "reset" };

/** A colour of the page's style, as it is in this light. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** The points of the index in the order of time: [tick, row]; the last is what stands now. */
export function indexPoints(store) {
  return [...store.below("index")].map(([tick, row]) => [Number(tick), row]).sort((a, b) => a[0] - b[0]);
}

function layout(extra) {
  const axis = { gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line"), fixedrange: true };
  return {
    margin: { l: 38, r: 108, t: 6, b: 26 }, showlegend: false, hovermode: "closest", dragmode: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: colour("text") },
    hoverlabel: { bgcolor: colour("panel"), font: { color: colour("text") }, align: "left" },
    ...extra,
    xaxis: { ...axis, type: "date", showgrid: false, tickformatstops: [
      { dtickrange: [null, 86_399_999], value: "%H:%M" }, { dtickrange: [86_400_000, null], value: "%b %d" }], ...extra.xaxis },
    yaxis: { ...axis, nticks: 5, rangemode: "tozero", ...extra.yaxis },
  };
}

function line(x, y, more) {
  return { type: "scatter", mode: "lines", x, y, connectgaps: false, hoverinfo: "skip", ...more };
}

function edgeLines(edges) {
  const lines = edges.map(({ y, of }) => ({
    type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, line: { color: colour(of), dash: "dot", width: 1.5 },
  }));
  const words = edges.map(({ y, text }) => ({
    xref: "paper", x: 1, xanchor: "left", xshift: 4, y, yanchor: "middle", showarrow: false, text,
    font: { size: 11, color: colour("faint") },
  }));
  return [lines, words];
}

const OF_REGIME = { elevated: "information", stressed: "warning", crisis: "critical" };

/** Faint bands where the regime was not calm. */
function bands(points) {
  const found = [];
  for (let at = 0; at + 1 < points.length; at += 1) {
    const regime = REGIMES[points[at][1]?.[REGIME]];
    const of = OF_REGIME[regime];
    if (!of) continue;
    const last = found.at(-1);
    if (last && last.of === of && last.until === points[at][0]) last.until = points[at + 1][0];
    else found.push({ of, from: points[at][0], until: points[at + 1][0] });
  }
  return found.map(({ of, from, until }) => ({
    type: "rect", xref: "x", yref: "paper", x0: newYork(from), x1: newYork(until), y0: 0, y1: 0.045, line: { width: 0 },
    fillcolor: colour(of), layer: "below",
  }));
}

/** Where there was no index at all: grey from top to foot, for a stack knows no gaps. */
function gaps(points) {
  const found = [];
  for (let at = 0; at + 1 < points.length; at += 1) {
    if (points[at][1] != null) continue;
    found.push({
      type: "rect", xref: "x", yref: "paper", x0: newYork(points[at][0]), x1: newYork(points[at + 1][0]), y0: 0, y1: 1,
      line: { width: 1, dash: "dot", color: colour("blind") }, fillcolor: colour("blind"), opacity: 0.25, layer: "above",
    });
  }
  return found;
}

function alertMarks(store, top, begin) {
  const marks = [...store.below("mark")].filter(([tick]) => Number(tick) >= begin);
  return {
    type: "scatter", mode: "markers", x: marks.map(([tick]) => newYork(Number(tick))), y: marks.map(() => top),
    marker: {
      symbol: marks.map(([, [to]]) => (to === "critical" ? "diamond" : "triangle-up")), size: 9,
      color: marks.map(([, [to]]) => colour(to)), line: { width: 1, color: colour("text") },
    },
    text: marks.map(([, [, sentence]]) => escaped(sentence)), hovertemplate: "%{text}<extra></extra>",
  };
}

function span(points) {
  return points.length > 1 ? { range: [newYork(points[0][0]), newYork(points.at(-1)[0])] } : {};
}

/** Plotly reads some HTML in texts; names come from feeds. */
function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replace(/(.{60,80}) /g, "$1<br>");
}

export function drawIndex(store) {
  if (!window.Plotly) return;
  const points = indexPoints(store);
  const x = points.map(([tick]) => newYork(tick));
  const of = (column) => points.map(([, row]) => row?.[column] ?? null);
  const peak = Math.max(0.5, ...of(HIGH), ...of(INDEX));
  const edges = Object.entries(store.get("edges")).map(([regime, y]) => ({
    y, of: OF_REGIME[regime], text: `${mark(regime)} ${regime} ${y.toFixed(2)}`,
  }));
  const [shapes, annotations] = edgeLines(edges);
  const shape = { shape: "hv", width: 0 };
  window.Plotly.react($("index-chart"), [
    line(x, of(LOW), { line: shape }),
    line(x, of(HIGH), { line: shape, fill: "tonexty", fillcolor: colour("band") }),
    line(x, of(INDEX), {
      line: { shape: "hv", width: 2.5, color: colour("text") }, hoverinfo: null,
      text: points.map(([, row]) => (row ? `${REGIMES[row[REGIME]] ?? "no regime"}, ${score(row[LOW])} to ${score(row[HIGH])}` : "")),
      hovertemplate: "%{x|%H:%M:%S} New York<br>index %{y:.2f}<br>%{text}<extra></extra>",
    }),
    alertMarks(store, peak * 1.04, points[0]?.[0] ?? 0),
  ], layout({ shapes: [...shapes, ...bands(points), ...gaps(points)], annotations, xaxis: span(points), yaxis: { range: [0, peak * 1.1] } }), CONFIG);
  const head = store.get("head");
  $("index-chart").setAttribute("aria-label", `The stress index over time; now ${score(head.index)}, ${head.regime ?? "unknown"}`);
}

export function drawParts(store) {
  if (!window.Plotly) return;
  const points = indexPoints(store);
  const x = points.map(([tick]) => newYork(tick));
  const seen = NAMES.map((name, at) => [name, FIRST_PART + at]).filter(([, column]) => points.some(([, row]) => row?.[column] != null));
  const last = points.at(-1)?.[1];
  let foot = 0;
  const highest = Math.max(0.1, ...points.map(([, row]) => row?.[INDEX] ?? 0)) * 1.1;
  const annotations = [];
  const traces = seen.map(([name, column]) => {
    const now = last?.[column] ?? 0;
    annotations.push({ name, y: foot + now / 2, now: last?.[column] == null ? "not seen" : score(now) });
    foot += now;
    return line(x, points.map(([, row]) => row?.[column] ?? 0), {
      stackgroup: "parts", line: { shape: "hv", width: 0 }, fillcolor: colour(name), hoverinfo: null,
      hovertemplate: `${SEGMENTS[name]} %{y:.2f}<extra></extra>`, name: SEGMENTS[name],
    });
  });
  // Names stand beside their part; those that lie close together are moved apart.
  const least = highest / 11;
  annotations.forEach((each, at) => { if (at) each.y = Math.max(each.y, annotations[at - 1].y + least); });
  window.Plotly.react($("parts-chart"), traces, layout({
    margin: { l: 38, r: 158, t: 6, b: 26 }, shapes: gaps(points), xaxis: span(points), yaxis: { range: [0, Math.max(highest, foot)] },
    annotations: annotations.map(({ name, y, now }) => ({
      xref: "paper", x: 1, xanchor: "left", xshift: 4, y, yanchor: "middle", showarrow: false, align: "left",
      text: `<span style="color:${colour(name)}">■</span> ${SEGMENTS[name]} ${now}`, font: { size: 11 },
    })),
  }), CONFIG);
}

/** One label set: its history with the thresholds in force. Points are [tick, value]. */
export function drawSeries(element, points, unit, thresholds, title) {
  if (!window.Plotly) return;
  const edges = LEVELS.slice(1).filter((level) => thresholds[`${level}_enter`] != null).map((level) => ({
    y: thresholds[`${level}_enter`], of: level, text: `${mark(level)} ${level} ${quantity(thresholds[`${level}_enter`], unit)}`,
  }));
  const [shapes, annotations] = edgeLines(edges);
  const scale = unit === "ratio" ? { tickformat: ".0%" } : {};
  window.Plotly.react(element, [line(points.map(([tick]) => newYork(tick)), points.map(([, value]) => value), {
    mode: points.length > 200 ? "lines" : "lines+markers", marker: { size: 4 }, hoverinfo: null,
    line: { shape: "hv", width: 2, color: colour("text") },
    text: points.map(([, value]) => (value == null ? "" : quantity(value, unit))),
    hovertemplate: "%{x|%b %d %H:%M:%S} New York<br>%{text}<extra></extra>",
  })], layout({ shapes, annotations, margin: { l: 56, r: 130, t: 10, b: 30 }, yaxis: { rangemode: "normal", ...scale } }), CONFIG);
  const values = points.map(([, value]) => value).filter((value) => value != null);
  element.setAttribute("aria-label", values.length
    ? `${title} over time: from ${quantity(Math.min(...values), unit)} to ${quantity(Math.max(...values), unit)}, now ${quantity(values.at(-1), unit)}`
    : `${title}: no values yet`);
}

/** A small line of a segment's score, its gaps hatched, as SVG. */
export function sparkline(svg, points, column) {
  const [width, height] = [200, 46];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  if (points.length < 2) return;
  const [begin, end] = [points[0][0], points.at(-1)[0]];
  const x = (tick) => (((tick - begin) / Math.max(1, end - begin)) * width).toFixed(1);
  const y = (value) => (height - 2 - value * (height - 4)).toFixed(1);
  let path = "";
  let gaps = "";
  points.forEach(([tick, row], at) => {
    const value = row?.[column];
    const until = x(points[Math.min(at + 1, points.length - 1)][0]);
    if (value == null) gaps += `M${x(tick)} ${height / 2}H${until}`;
    else path += `${at && points[at - 1][1]?.[column] != null ? "L" : "M"}${x(tick)} ${y(value)}H${until}`;
  });
  const [base, drawn, missing] = svg.children;
  base.setAttribute("d", `M0 ${height - 2}H${width}M0 ${y(0.5)}H${width}`);
  drawn.setAttribute("d", path);
  missing.setAttribute("d", gaps);
}
