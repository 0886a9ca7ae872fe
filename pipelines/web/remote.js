// The settings of a program that filters its own camera, over HTTP. There is no video here.

import { request } from "./api.js";

const SESSION = "api/sessions/local";
const POLL_MS = 1000;

/** Has the interface of `Control`. Event "state": `detail.state` is "live" or "reconnecting",
 * `detail.statistics` are the figures, or null. */
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

  request(op, params) {
    if (op === "set") return request(`${SESSION}/settings`, { method: "PATCH", body: params });
    if (op === "reset") return request(`${SESSION}/reset`, { method: "POST" });
    return request(`${SESSION}/settings`);
  }

  async #poll() {
    try {
      const { settings, statistics } = await request(SESSION);
      this.#settings.adopt(settings);
      this.#emit("live", statistics);
    } catch {
      this.#emit("reconnecting", null);
    }
    setTimeout(() => this.#poll(), POLL_MS);
  }

  #emit(state, statistics) {
    this.dispatchEvent(new CustomEvent("state", { detail: { state, statistics } }));
  }
}
