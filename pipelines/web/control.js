// The control channel: requests and their answers, and events from the server.

const VERSION = 1;
const TIMEOUT_MS = 10_000;

/** The server refused a request on the control channel: `code` and a sentence. */
export class ControlError extends Error {
  constructor({ code, message }) {
    super(message);
    Object.assign(this, { name: "ControlError", code });
  }
}

/** Requests over a data channel. Events: "state", "statistics", "settings", "closing" (`detail` is
 * their data), and "closed". */
export class Control extends EventTarget {
  #channel;
  #pending = new Map(); // by id of the request
  #lastId = 0;

  constructor(channel) {
    super();
    this.#channel = channel;
    channel.addEventListener("message", ({ data }) => this.#receive(JSON.parse(data)));
    channel.addEventListener("close", () => this.#close());
  }

  /** The result of an operation. Throws `ControlError`. */
  request(op, params = {}) {
    const id = ++this.#lastId;
    const answer = new Promise((resolve, reject) => {
      const timeout = () => this.#take(id)?.reject(new Error("the server did not answer in time"));
      this.#pending.set(id, { resolve, reject, timer: setTimeout(timeout, TIMEOUT_MS) });
    });
    if (this.#channel.readyState === "open") {
      this.#channel.send(JSON.stringify({ v: VERSION, id, op, params }));
    } else {
      this.#take(id).reject(new Error("the connection is closed"));
    }
    return answer;
  }

  /** Remove a pending request, and return it. */
  #take(id) {
    const pending = this.#pending.get(id);
    if (pending) clearTimeout(pending.timer);
    this.#pending.delete(id);
    return pending;
  }

  #receive(message) {
    if (message.event) {
      this.dispatchEvent(new CustomEvent(message.event, { detail: message.data }));
    } else if (message.ok) {
      this.#take(message.id)?.resolve(message.result);
    } else {
      this.#take(message.id)?.reject(new ControlError(message.error));
    }
  }

  #close() {
    for (const id of [...this.#pending.keys()]) {
      this.#take(id).reject(new Error("the connection is closed"));
    }
    this.dispatchEvent(new CustomEvent("closed"));
  }
}
