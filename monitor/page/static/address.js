// What one looks at stands in the address, so a link shows the same view: #filter=…&sort=…&open=…

const listeners = [];

function read() {
  return new URLSearchParams(location.hash.slice(1));
}

/** One part of the view; empty if it is not set. */
export function part(name) {
  return read().get(name) ?? "";
}

/** Set parts; empty ones are left out. */
export function setParts(parts) {
  const now = read();
  for (const [name, value] of Object.entries(parts)) value ? now.set(name, value) : now.delete(name);
  const text = now.toString();
  history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
}

/** Call when the address was changed by hand, or by a link. */
export function listen(listener) {
  listeners.push(listener);
}

addEventListener("hashchange", () => listeners.forEach((listener) => listener()));
