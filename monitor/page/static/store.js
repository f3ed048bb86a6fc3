// The state: flat, a key to JSON, of which the server sends the whole and then differences. Who draws is told the keys.

export class Store {
  constructor() {
    this.state = new Map();
    this.listeners = [];
  }

  /** Call `listener` with the set of first parts of the keys that changed: `head`, `now`, `alert` … */
  listen(listener) {
    this.listeners.push(listener);
  }

  get(key) {
    return this.state.get(key);
  }

  /** All below a first part, as [rest of the key, JSON]. */
  *below(kind) {
    const start = `${kind}/`;
    for (const [key, value] of this.state) if (key.startsWith(start)) yield [key.slice(start.length), value];
  }

  whole(state) {
    this.state = new Map(Object.entries(state));
    this.#tell(this.state.keys());
  }

  change({ set = {}, gone = [] }) {
    for (const key of gone) this.state.delete(key);
    for (const [key, value] of Object.entries(set)) this.state.set(key, value);
    this.#tell([...gone, ...Object.keys(set)]);
  }

  #tell(keys) {
    const kinds = new Set();
    for (const key of keys) kinds.add(key.split("/", 1)[0]);
    if (kinds.size) for (const listener of this.listeners) listener(kinds);
  }
}
