// The connection: it is lost when nothing is heard for a while, and comes back by itself with what was missed.

const SILENT_MS = 3500; // the server says something every second
const OPEN_MS = 10_000; // so long a new connection is given for its first message
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 4000;

export class Link {
  /** @param {{whole: Function, change: Function, lost: Function, back: Function}} told */
  constructor(told) {
    this.told = told;
    this.run = null;
    this.version = null;
    this.heardAt = performance.now(); // a clock that nobody sets
    this.heardTime = Date.now(); // for people
    this.patience = SILENT_MS;
    this.leastLag = Infinity;
    this.openedAt = 0;
    this.isLost = false;
    this.wait = FIRST_WAIT_MS;
    setInterval(() => this.#look(), 500);
  }

  /** Take a message that has the whole state, as the page itself brings one. */
  begin(message) {
    this.run = message.run;
    this.version = message.version;
    this.told.whole(message.state);
  }

  connect() {
    const at = new URL("/ws", location.href);
    at.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    at.search = this.version == null ? "" : new URLSearchParams({ run: this.run, version: this.version });
    const socket = new WebSocket(at);
    this.heardAt = performance.now();
    this.patience = OPEN_MS;
    this.socket = socket;
    socket.onmessage = (event) => socket === this.socket && this.#take(JSON.parse(event.data));
    socket.onclose = () => socket === this.socket && this.#again();
  }

  #take(message) {
    if (this.patience === OPEN_MS) this.openedAt = performance.now();
    this.#heard();
    // What waited on its way is old; how far the two clocks are apart, nobody knows, but it does not grow. At first
    // comes what was missed, which is old and no fault of the line.
    const lag = Date.now() - message.at;
    this.leastLag = Math.min(this.leastLag, lag);
    if (lag - this.leastLag > SILENT_MS && this.heardAt - this.openedAt > SILENT_MS) {
      this.leastLag = Infinity; // one of the clocks may have been set
      this.version = null;
      this.socket.close();
      return;
    }
    this.wait = FIRST_WAIT_MS;
    if (message.state) {
      this.begin(message);
    } else {
      const isNext = message.version === this.version + (message.set || message.gone ? 1 : 0);
      if (!isNext) {
        this.version = null; // something was missed: the whole is wanted
        this.socket.close();
        return;
      }
      this.version = message.version;
      this.told.change(message);
    }
    if (this.isLost) {
      this.isLost = false;
      this.told.back();
    }
  }

  #heard() {
    this.heardAt = performance.now();
    this.heardTime = Date.now();
    this.patience = SILENT_MS;
  }

  #again() {
    this.socket = null;
    this.#lose();
    setTimeout(() => this.socket || this.connect(), this.wait * (0.5 + Math.random() / 2));
    this.wait = Math.min(LONGEST_WAIT_MS, this.wait * 2);
  }

  #look() {
    if (performance.now() - this.heardAt < this.patience) return;
    this.#lose();
    const socket = this.socket;
    if (socket) {
      this.heardAt = performance.now();
      socket.close();
      this.#again();
    }
  }

  #lose() {
    if (this.isLost) return;
    this.isLost = true;
    this.told.lost(this.heardTime);
  }
}
