// Keeps a session with the server open: waits for the model, connects, and reconnects.

import { RequestError, UnreachableError, request } from "./api.js";
import { MediaConnectionError, Session } from "./session.js";

const POLL_MS = 700;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
const TEMPORARY = /shuts down/; // the server will be back after this reason
const PERMANENT = [400, 401, 403, 404, 406, 413, 415]; // statuses that a retry does not change

/** Events: "state" (`detail.state`: idle, loading, connecting, live, reconnecting, ended or refused,
 * with `detail.error`, `detail.reason` or `detail.model`); "session" (`detail`: the open `Session`,
 * or null once it is over). */
export class Connection extends EventTarget {
  #settings;
  #tracks = { video: null, audio: null };
  #session = null;
  #wanted = false;
  #running = null;
  #wake = () => {}; // ends the current pause

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

  /** Send these tracks from now on; connects if there is no session. */
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

  /** End the session, on the server too. */
  stop() {
    this.#wanted = false;
    this.#session?.close();
    this.#wake();
    this.#emitState("idle");
  }

  #emitState(state, detail = {}) {
    this.dispatchEvent(new CustomEvent("state", { detail: { state, ...detail } }));
  }

  async #run() {
    let failures = 0;
    while (this.#wanted) {
      const outcome = await this.#attempt(failures > 0);
      if (!this.#wanted || outcome.final) break;
      failures = outcome.connected ? 1 : failures + 1;
      this.#emitState("reconnecting", outcome);
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
      await this.#pause(outcome.error?.retrySeconds * 1000 || pause * (0.8 + 0.4 * Math.random()));
    }
    this.#wanted = false;
  }

  /** One session from start to end: { connected, final, error, reason }. */
  async #attempt(again) {
    try {
      const status = await this.modelReady(() => this.#wanted);
      if (!status) return { final: true };
      if (!again) this.#emitState("connecting");
      const reason = await this.#runSession(status);
      if (reason === null || TEMPORARY.test(reason)) return { connected: true, reason };
      this.#emitState("ended", { reason });
      return { final: true };
    } catch (error) {
      const final = isFinal(error, again);
      if (final && this.#wanted) this.#emitState("refused", { error });
      return { error, final };
    }
  }

  /** The server's status once the model is loaded; null if `wanted` turns false before. */
  async modelReady(wanted = () => true) {
    while (wanted()) {
      const status = await request("api/status");
      if (status.model.state === "ready") return status;
      if (status.model.state === "failed") throw new Error(status.model.message);
      this.#emitState("loading", { model: status.model });
      await this.#pause(POLL_MS);
    }
    return null;
  }

  /** The reason why the session ended; null if the connection was lost or closed here. */
  async #runSession(status) {
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
    this.#emitState("live", { first });
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

/** True if another attempt would fail in the same way. */
function isFinal(error, again) {
  if (error instanceof RequestError) return PERMANENT.includes(error.status);
  if (error instanceof UnreachableError) return false;
  return !(error instanceof MediaConnectionError && again);
}
