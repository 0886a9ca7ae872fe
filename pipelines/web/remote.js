// The dials of a program that filters its own camera: the settings by HTTP, no picture.

import { ask } from "./api.js";

const SESSION = "api/sessions/local";
const POLL_MS = 1000;

/** Speaks with the program as `Control` does with a server. Event "state": `detail.state`, live or
 * reconnecting, with `detail.statistics`, null where there are none. */
export class RemoteControl extends EventTarget {
  #settings;

  constructor(settings) {
    super();
    this.#settings = settings;
  }

  start() {
    this.#settings.connect(this);
    this.#poll();
  }

  ask(op, params) {
    if (op === "set") return ask(`${SESSION}/settings`, { method: "PATCH", body: params });
    if (op === "reset") return ask(`${SESSION}/reset`, { method: "POST" });
    return ask(`${SESSION}/settings`);
  }

  async #poll() {
    try {
      const { settings, statistics } = await ask(SESSION);
      this.#settings.adopt(settings);
      this.#tell("live", statistics);
    } catch {
      this.#tell("reconnecting", null);
    }
    setTimeout(() => this.#poll(), POLL_MS);
  }

  #tell(state, statistics) {
    this.dispatchEvent(new CustomEvent("state", { detail: { state, statistics } }));
  }
}
