// The head line: how bad, since when, and how far it can be trusted.

import { $, h, say } from "./dom.js";
import { lasting, mark, minute, newYork, score } from "./words.js";

function signed(value) {
  if (value == null) return "–";
  return `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value).toFixed(2)}`;
}

const OLD_SECONDS = 60;

function facts(head, clock) {
  return [
    ["Stress index", score(head.index), "big", head.low == null ? "" : ` ${score(head.low)} to ${score(head.high)}`],
    ["Change in 1 h", signed(head.hour)],
    ["in 1 day", signed(head.day)],
    ["Coverage", head.coverage == null ? "–" : `${Math.round(100 * head.coverage)} %`],
    ["Critical", `${head.critical ? mark("critical") + " " : ""}${head.critical}`],
    ["Warnings", `${head.warning ? mark("warning") + " " : ""}${head.warning}`],
    ["Blind", `${head.blind ? mark("blind") + " " : ""}${head.blind}`],
    ["Newest event, New York", clock.event == null ? "–" : newYork(clock.event).slice(5), "",
      clock.age == null ? "" : ` ${lasting(clock.age)} old`],
  ];
}

export function drawHead(store, isLost) {
  const head = store.get("head");
  const regime = head.regime ?? "unknown";
  $("regime-box").className = `regime ${regime}`;
  say($("regime-mark"), mark(regime));
  say($("regime"), `${regime}${head.capped ? ", capped" : ""}`);
  say($("since"), head.since == null ? "no index yet" :
    `since ${head.since_at_least ? "at least " : ""}${minute(head.since, head.until)}, ${lasting(head.until - head.since)}`);
  const box = $("facts");
  const clock = store.get("clock");
  const wanted = facts(head, clock);
  if (box.childElementCount !== wanted.length) {
    box.replaceChildren(...wanted.map(([name, , kind]) =>
      h("div", { class: kind }, h("dt", {}, name), h("dd", {}, h("span"), h("small")))));
  }
  wanted.forEach(([, value, , more], at) => {
    const [span, small] = box.children[at].lastChild.children;
    say(span, value);
    say(small, more ?? "");
  });
  $("synthetic").hidden = !head.synthetic;
  const isOld = clock.still != null || clock.age > OLD_SECONDS;
  document.body.classList.toggle("is-still", isOld);
  const trust = clock.still != null ? `The monitor stands still: nothing was computed for ${lasting(clock.still)}. What is shown is old, not calm.` :
    head.over ? "The story is over: this is how it ended." :
    head.not_ready ? `Not ready: ${head.not_ready}. What is shown may be older than the market.` :
    head.away.length ? `Not connected: ${head.away.join(", ")}. What it told is old, not calm.` :
    clock.age > OLD_SECONDS ? `The newest event is ${lasting(clock.age)} old: what is shown is as old.` :
    head.index == null ? "No segment is seen yet: nothing can be said. That is not calm." :
    head.coverage < 0.6 ? `Only ${Math.round(100 * head.coverage)} % of the market is seen: what is not seen is not calm.` : "";
  say($("trust"), trust);
  $("trust").hidden = !trust;
  // A tab that is not in view shows this alone.
  const doubt = isLost ? "NOT CONNECTED" : isOld ? "OLD" : head.not_ready ? "NOT READY" : "";
  const now = doubt ? `${doubt}, was ${score(head.index)}` : `${mark(regime)} ${regime} ${score(head.index)}`;
  document.title = `${head.synthetic ? "SYNTHETIC " : ""}${now} – market stress`;
}

export function drawFoot(store) {
  const head = store.get("head");
  const speed = head.speed == null ? "" : `, ${head.speed.toLocaleString("en-US")} times as fast as it happened`;
  $("foot").replaceChildren(
    `${head.title}${speed}. `, h("a", { href: "/runbooks/" }, "Runbooks"), " · ",
    h("a", { href: "/api/signals" }, "signals"), " and ", h("a", { href: "/api/alerts" }, "alerts"), " as JSON · ",
    `market-stress-monitor ${head.version}`,
  );
}
