// One label set: how it went, its thresholds, what it tells, and where to go on.

import { $, h, safeUrl, say } from "./dom.js";
import { drawSeries } from "./charts.js";
import { setParts } from "./address.js";
import { LEVELS, levelWord, mark, minute, quantity } from "./words.js";

const [VALUE, LEVEL, BLIND, , DAY, SINCE, ROW] = [0, 1, 2, 3, 4, 5, 6];

export class Detail {
  constructor(store) {
    this.store = store;
    this.id = null;
    this.points = [];
    $("detail").addEventListener("close", () => { this.id = null; setParts({ open: "" }); });
  }

  /** Show a label set; nothing for one that is not there. */
  async open(id) {
    if (id === this.id) return;
    const series = this.store.get(`series/${id}`);
    if (!series) return;
    this.id = id;
    this.points = [];
    setParts({ open: id });
    const about = this.store.get(`about/${series[0]}`);
    say($("detail-title"), [about.title, ...series.slice(1).filter(Boolean)].join(" "));
    say($("detail-help"), about.help);
    $("detail-links").replaceChildren(
      about.runbook ? h("a", { href: about.runbook }, "What it means, and what to do") : "It has no thresholds.", " ",
      h("a", { href: safeUrl(this.store.get("head").grafana) }, "Boards in Grafana"),
    );
    if (!$("detail").open) $("detail").showModal();
    this.draw();
    await this.reload();
  }

  /** Its history anew: while nobody was connected it went on. */
  async reload() {
    const id = this.id;
    const about = id && this.store.get(`about/${id.split("|")[0]}`);
    if (!about) return;
    try {
      const answer = await fetch(`/api/history?${new URLSearchParams({ series: id })}`);
      if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
      if (this.id === id) this.points = await answer.json();
    } catch (error) {
      say($("detail-help"), `Its history cannot be had (${error.message}). ${about.help}`);
    }
    if (this.id === id) this.draw();
  }

  close() {
    $("detail").close();
  }

  /** What stands now; called when something of it may have changed. */
  draw() {
    if (!this.id) return;
    const now = this.store.get(`now/${this.id}`);
    if (!now) {
      say($("detail-now"), "No longer there: nobody quotes it any more, or the monitor has begun anew.");
      return;
    }
    const signal = this.store.get(`series/${this.id}`)[0];
    const about = this.store.get(`about/${signal}`);
    const { until } = this.store.get("head");
    const word = levelWord(now[LEVEL], now[BLIND]);
    const value = now[VALUE] == null ? "no value" : quantity(now[VALUE], about.unit);
    const since = now[SINCE] == null ? "" : `, ${word} since ${minute(now[SINCE], until)}`;
    say($("detail-now"), `${mark(word)} ${value}${now[DAY] ? ` for ${now[DAY]}` : ""}${since || (word && `, ${word}`)}`);
    const rows = this.store.get("thresholds")[signal] ?? {};
    const own = rows[now[ROW]] ?? {};
    this.#thresholds(own, about.unit);
    const last = this.points.at(-1);
    const value_ = now[VALUE];
    const points = !last || until > last[0] ? [...this.points, [until, value_]] : this.points;
    drawSeries($("detail-chart"), points, about.unit, own, $("detail-title").textContent);
    if (points !== this.points && last?.[1] !== value_) this.points = points;
  }

  #thresholds(own, unit) {
    const levels = LEVELS.slice(1).filter((level) => own[`${level}_enter`] != null);
    $("detail-thresholds").hidden = !levels.length;
    const key = JSON.stringify(own);
    if ($("detail-thresholds").dataset.key === key) return;
    $("detail-thresholds").dataset.key = key;
    $("detail-thresholds").replaceChildren(
      h("caption", { class: "unseen" }, "Thresholds in force"),
      h("thead", {}, h("tr", {}, ...["Level", "entered at", "left at"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, ...levels.map((level) => h("tr", {}, h("th", { scope: "row" }, `${mark(level)} ${level}`),
        h("td", {}, quantity(own[`${level}_enter`], unit)),
        h("td", {}, own[`${level}_exit`] == null ? "–" : quantity(own[`${level}_exit`], unit))))),
    );
  }
}
