// Keeps a session with the server: waits for the model, connects, connects again.

import { Refusal, Unreachable, ask } from "./api.js";
import { NoWay, Session } from "./session.js";

const POLL_MS = 700;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
const AGAIN = /shuts down/; // reasons for an end after which the server will be back
const FUTILE = [400, 401, 403, 404, 406, 413, 415]; // asking once more changes nothing

/** Events: "state" (`detail.state`: idle, loading, connecting, live, reconnecting, ended, refused;
 * with `detail.error`, `detail.reason` or `detail.model`), "session" (`detail`: a live `Session`,
 * or null when it is over). */
export class Connection extends EventTarget {
  #settings;
  #tracks = { video: null, audio: null };
  #session = null;
  #wanted = false;
  #running = null;
  #wake = () => {};

  constructor(settings) {
    super();
    this.#settings = settings;
    addEventListener("online", () => this.#wake());
    document.addEventListener("visibilitychange", () => this.#wake());
    addEventListener("pagehide", () => this.#session?.close());
  }

  get session() {
    return this.#session;
  }

  /** Send these tracks from now on, and connect if need be. */
  async send({ video, audio }) {
    this.#tracks = { video, audio };
    if (this.#session) {
      await this.#session.replace("video", video);
      await this.#session.replace("audio", audio);
    } else {
      this.start();
    }
  }

  start() {
    this.#wanted = true;
    this.#wake();
    this.#running ??= this.#run().finally(() => { this.#running = null; });
  }

  /** End the session; the server is told. */
  stop() {
    this.#wanted = false;
    this.#session?.close();
    this.#wake();
    this.#tell("idle");
  }

  #tell(state, detail = {}) {
    this.dispatchEvent(new CustomEvent("state", { detail: { state, ...detail } }));
  }

  async #run() {
    let failures = 0;
    while (this.#wanted) {
      const outcome = await this.#attempt(failures > 0);
      if (!this.#wanted || outcome.final) break;
      failures = outcome.lived ? 1 : failures + 1;
      this.#tell("reconnecting", outcome);
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
      await this.#pause(outcome.error?.retrySeconds * 1000 || pause * (0.8 + 0.4 * Math.random()));
    }
    this.#wanted = false;
  }

  /** One session from beginning to end: whether it `lived`, whether this is `final`, and why. */
  async #attempt(again) {
    try {
      const status = await this.ready(() => this.#wanted);
      if (!status) return { final: true };
      if (!again) this.#tell("connecting");
      const reason = await this.#live(status);
      if (reason === null || AGAIN.test(reason)) return { lived: true, reason };
      this.#tell("ended", { reason });
      return { final: true };
    } catch (error) {
      const futile = error instanceof Refusal ? FUTILE.includes(error.status)
        : !(error instanceof Unreachable) && !(error instanceof NoWay && again);
      if (futile && this.#wanted) this.#tell("refused", { error });
      return { error, final: futile };
    }
  }

  /** The server's status as soon as it has a model; null once nobody wants it any more. */
  async ready(wanted = () => true) {
    while (wanted()) {
      const status = await ask("api/status");
      if (status.model.state === "ready") return status;
      if (status.model.state === "failed") throw new Error(status.model.message);
      this.#tell("loading", { model: status.model });
      await this.#pause(POLL_MS);
    }
    return null;
  }

  async #live(status) {
    const session = new Session(status.ice_servers);
    const first = await session.open({ ...this.#tracks, settings: this.#settings.changed });
    if (!this.#wanted) {
      session.close();
      return null;
    }
    this.#session = session;
    await this.send(this.#tracks); // they may have changed while it connected
    this.#settings.adopt(first.settings);
    this.#settings.connect(session.control);
    session.control.addEventListener("settings", ({ detail }) => this.#settings.adopt(detail.settings));
    this.dispatchEvent(new CustomEvent("session", { detail: session }));
    this.#tell("live", { first });
    const reason = await session.ended;
    this.#session = null;
    this.#settings.connect(null);
    session.close();
    this.dispatchEvent(new CustomEvent("session", { detail: null }));
    return reason;
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => { clearTimeout(timer); resolve(); };
    });
  }
}
