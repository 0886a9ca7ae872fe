// Live figures: frames a second, delay, bit-rate, drops. From the browser's and the server's counts.

import { byId } from "./dom.js";

const INTERVAL_MS = 1000;

/** Shows the figures of a session while there is one. */
export class Figures {
  #session = null;
  #timer = null;
  #before = null;
  #server = null;
  #counted = null;

  /** From now on those of this session; none with null. */
  show(session) {
    clearInterval(this.#timer);
    this.#session = session;
    this.#before = this.#server = this.#counted = null;
    if (!session) return this.#clear();
    const hear = (statistics) => { this.#server = statistics; };
    session.control.addEventListener("statistics", ({ detail }) => hear(detail));
    session.control.ask("subscribe", { interval_ms: INTERVAL_MS })
      .then(({ statistics }) => hear(statistics)).catch(() => {});
    this.#timer = setInterval(() => this.#tick(session), INTERVAL_MS);
  }

  /** Those of a program that filters its own camera; none with null. */
  write(server) {
    if (!server) return this.#clear();
    this.#set("fps", server.delivered_fps?.toFixed(0) ?? "–");
    this.#set("delay", server.latency_ms?.toFixed(0) ?? "–");
    return this.#drops(server);
  }

  async #tick(session) {
    const now = inbound(await session.peer.getStats());
    if (session !== this.#session || !now) return;
    if (this.#before) this.#write(now, this.#before);
    this.#before = now;
  }

  #write(now, before) {
    const seconds = (now.timestamp - before.timestamp) / 1000;
    const frames = now.framesDecoded - before.framesDecoded;
    this.#set("fps", (frames / seconds).toFixed(frames / seconds < 9.95 ? 1 : 0));
    const filtered = this.#server?.filtered_fps;
    byId("figure-fps").title = filtered === undefined ? "" : `${filtered.toFixed(0)} of them from the model`;
    this.#set("rate", ((8 * (now.bytesReceived - before.bytesReceived)) / seconds / 1e6).toFixed(1));
    if (!this.#server) return;
    const delay = this.#server.latency_ms + (this.#server.round_trip_ms ?? 0) + playout(now, before);
    this.#set("delay", String(Math.round(delay)));
    this.#drops(this.#server);
  }

  /** Of the frames since the last look, and all of them in the title. */
  #drops(server) {
    const before = this.#counted ?? { received: 0, dropped: 0 };
    const received = server.received - before.received;
    if (!(received > 0)) return;
    this.#set("drops", ((100 * (server.dropped - before.dropped)) / received).toFixed(0));
    byId("figure-drops").title = `${server.dropped} of ${server.received} frames`;
    this.#counted = { received: server.received, dropped: server.dropped };
  }

  #set(figure, text) {
    byId(`figure-${figure}`).textContent = text;
  }

  #clear() {
    for (const figure of ["fps", "delay", "rate", "drops"]) this.#set(figure, "–");
  }
}

function inbound(report) {
  return [...report.values()].find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
}

/** Milliseconds from a frame's first packet to its picture, on average. */
function playout(now, before) {
  const frames = now.framesDecoded - before.framesDecoded;
  if (frames <= 0) return 0;
  const name = ["totalProcessingDelay", "jitterBufferDelay"].find((each) => each in now);
  return name ? (1000 * (now[name] - before[name])) / frames : 0;
}
