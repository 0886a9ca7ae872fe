// The control channel: requests answered by id, and events of the server.

const VERSION = 1;
const PATIENCE_MS = 10_000;

/** A refusal of the control channel: `code` and a sentence. */
export class ControlError extends Error {
  constructor({ code, message }) {
    super(message);
    Object.assign(this, { name: "ControlError", code });
  }
}

/** Speaks with the server over a data channel. Events: "state", "statistics", "settings",
 * "closing" (`detail`: their data), and "closed". */
export class Control extends EventTarget {
  #channel;
  #waiting = new Map();
  #count = 0;

  constructor(channel) {
    super();
    this.#channel = channel;
    channel.addEventListener("message", ({ data }) => this.#hear(JSON.parse(data)));
    channel.addEventListener("close", () => this.#close());
  }

  /** The result of an operation. Throws `ControlError`. */
  ask(op, params = {}) {
    const id = ++this.#count;
    const answered = new Promise((resolve, reject) => {
      const late = () => this.#settle(id)?.reject(new Error("the server did not answer in time"));
      this.#waiting.set(id, { resolve, reject, timer: setTimeout(late, PATIENCE_MS) });
    });
    if (this.#channel.readyState === "open") {
      this.#channel.send(JSON.stringify({ v: VERSION, id, op, params }));
    } else {
      this.#settle(id).reject(new Error("the connection is gone"));
    }
    return answered;
  }

  #settle(id) {
    const waiting = this.#waiting.get(id);
    if (waiting) clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    return waiting;
  }

  #hear(message) {
    if (message.event) {
      this.dispatchEvent(new CustomEvent(message.event, { detail: message.data }));
    } else if (message.ok) {
      this.#settle(message.id)?.resolve(message.result);
    } else {
      this.#settle(message.id)?.reject(new ControlError(message.error));
    }
  }

  #close() {
    for (const id of [...this.#waiting.keys()]) {
      this.#settle(id).reject(new Error("the connection is gone"));
    }
    this.dispatchEvent(new CustomEvent("closed"));
  }
}
