// Numbers and moments in words, as the monitor's own sentences have them.

export const LEVELS = ["calm", "warning", "critical"];
export const SEGMENTS = {
  treasury: "Treasury", repo: "Repo", newissue: "New issues", cds: "CDS", credit: "Credit and policy",
};
const MARKS = { calm: "●", warning: "▲", critical: "◆", blind: "◌", elevated: "◐", stressed: "▲", crisis: "◆" };
const ZONE = "America/New_York";
const PARTS = new Intl.DateTimeFormat("en-CA", {
  timeZone: ZONE, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit",
  minute: "2-digit", second: "2-digit",
});
const QUARTER = 900; // no zone changes its offset within a quarter of an hour
const offsets = new Map();

/** The shape that goes with a level or a regime. */
export function mark(word) {
  return MARKS[word] ?? "";
}

/** What stands of a label set in a word: a level, `blind`, or nothing without thresholds. */
export function levelWord(level, isBlind) {
  return isBlind ? "blind" : level == null ? "" : LEVELS[level];
}

function offset(tick) {
  const quarter = Math.floor(tick / QUARTER);
  if (!offsets.has(quarter)) {
    const of = Object.fromEntries(PARTS.formatToParts(quarter * QUARTER * 1000).map((part) => [part.type, part.value]));
    const shown = Date.UTC(of.year, of.month - 1, of.day, of.hour, of.minute, of.second) / 1000;
    offsets.set(quarter, shown - quarter * QUARTER);
  }
  return offsets.get(quarter);
}

/** Epoch seconds as New York's clocks show them: `2019-09-17 08:00:00`. */
export function newYork(tick) {
  return new Date((tick + offset(tick)) * 1000).toISOString().slice(0, 19).replace("T", " ");
}

/** The same to the minute; without the day if it is that of `now`. */
export function minute(tick, now) {
  const [day, clock] = newYork(tick).slice(0, 16).split(" ");
  return now != null && newYork(now).startsWith(day) ? clock : `${day} ${clock}`;
}

/** With so many digits, 0 or 1; what lies in the middle goes to the even one, as in Python. */
function fixed(value, digits) {
  const scale = 10 ** digits;
  const isMiddle = Math.abs(value * (digits ? 4 : 2)) % 2 === 1;
  const below = Math.floor(value * scale);
  const text = (isMiddle ? (below + Math.abs(below % 2)) / scale : value).toFixed(digits);
  return (/^-[0.]*$/.test(text) ? text.slice(1) : text).replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ",");
}

/** A number with its unit and as many digits as mean something; `quantity` in Python is the same. */
export function quantity(value, unit) {
  if (unit === "ratio") {
    const percent = 100 * value;
    const isWhole = Math.abs(percent) >= 10 || Math.round(percent * 10) / 10 === Math.round(percent);
    return `${fixed(percent, isWhole ? 0 : 1).replaceAll(",", "")} %`;
  }
  if (unit === "32nds") return `${Math.abs(value) >= 100 ? fixed(value, 0).replaceAll(",", "") : Number(value.toPrecision(3)) + 0} ${unit}`;
  return `${fixed(value, Math.abs(value) >= 10 || Number.isInteger(value) ? 0 : 1)} ${unit}`.trimEnd();
}

/** A score from 0 to 1. */
export function score(value) {
  return value == null ? "–" : value.toFixed(2);
}

/** How long: `8 s`, `12 min`, `3 h 5 min`, `2 d 4 h`. */
export function lasting(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 90) return `${s} s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m} min`;
  const h = Math.floor(m / 60);
  return h < 48 ? `${h} h ${m % 60} min` : `${Math.floor(h / 24)} d ${h % 24} h`;
}
