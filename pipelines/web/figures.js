// Live figures: frames per second, delay, bit rate, dropped frames.
//
// The server's names are those of `Stats` in pipelines/statistics.py.

import { byId } from "./dom.js";

const INTERVAL_MS = 1000;
const NO_VALUE = "–";
const DROPPED_UPDATES = 10; // updates that the share of dropped frames covers

/** Shows the figures of a session, or of a program that filters its own camera.
 * onDelay(milliseconds): called when the delay of a session was measured. */
export class Figures {
  #onDelay;
  #session = null;
  #timer = null;
  #lastReport = null; // the browser's
  #stats = null; // the server's
  #counts = []; // { captured, dropped }, oldest first

  constructor(onDelay) {
    this.#onDelay = onDelay;
  }

  /** Show the figures of this session from now on; none if null. */
  follow(session) {
    clearInterval(this.#timer);
    this.#session = session;
    this.#lastReport = this.#stats = null;
    this.#counts = [];
    if (!session) return this.#clear();
    const receive = (stats) => { this.#stats = stats; };
    session.control.addEventListener("statistics", ({ detail }) => receive(detail));
    session.control.request("subscribe", { interval_ms: INTERVAL_MS })
      .then(({ statistics }) => receive(statistics)).catch(() => {});
    this.#timer = setInterval(() => this.#update(session), INTERVAL_MS);
  }

  /** Show these stats of a program that filters its own camera; none if null. */
  show(stats) {
    if (!stats) return this.#clear();
    this.#set("fps", stats.fps_out.toFixed(0));
    this.#set("delay", stats.latency_p50_ms?.toFixed(0) ?? NO_VALUE);
    return this.#showDropped(stats);
  }

  async #update(session) {
    const report = inboundVideo(await session.peer.getStats());
    if (session !== this.#session || !report) return;
    if (this.#lastReport) this.#showReport(report, this.#lastReport);
    this.#lastReport = report;
  }

  #showReport(report, last) {
    const seconds = (report.timestamp - last.timestamp) / 1000;
    const fps = (report.framesDecoded - last.framesDecoded) / seconds;
    const megabits = (8 * (report.bytesReceived - last.bytesReceived)) / 1e6;
    this.#set("fps", fps.toFixed(fps < 9.95 ? 1 : 0));
    this.#set("rate", (megabits / seconds).toFixed(1));
    const stats = this.#stats;
    byId("figure-fps").title = stats ? `${stats.fps_filtered.toFixed(0)} of them from the model` : "";
    if (!stats) return;
    const delay = (stats.latency_p50_ms ?? 0) + (stats.round_trip_ms ?? 0) + playoutDelay(report, last);
    this.#set("delay", String(Math.round(delay)));
    this.#onDelay(delay);
    this.#showDropped(stats);
  }

  /** The share of the frames in the last updates; the total is in the title. A frame is counted as
   * dropped only when a newer one is delivered, so at times more are dropped than were captured. */
  #showDropped({ captured, dropped }) {
    const newest = this.#counts.at(-1) ?? { captured: 0, dropped: 0 };
    if (captured === newest.captured) return;
    if (captured < newest.captured) this.#counts = []; // another session
    const first = this.#counts.at(-DROPPED_UPDATES) ?? this.#counts[0] ?? { captured: 0, dropped: 0 };
    const share = (dropped - first.dropped) / (captured - first.captured);
    this.#set("drops", (100 * Math.min(1, share)).toFixed(0));
    byId("figure-drops").title = `${dropped} of ${captured} frames`;
    this.#counts = [...this.#counts.slice(1 - DROPPED_UPDATES), { captured, dropped }];
  }

  #set(figure, text) {
    byId(`figure-${figure}`).textContent = text;
  }

  #clear() {
    for (const figure of ["fps", "delay", "rate", "drops"]) this.#set(figure, NO_VALUE);
  }
}

function inboundVideo(reports) {
  return [...reports.values()].find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
}

/** Mean milliseconds from the first packet of a frame to its display. */
function playoutDelay(report, last) {
  const frames = report.framesDecoded - last.framesDecoded;
  if (frames <= 0) return 0;
  const name = ["totalProcessingDelay", "jitterBufferDelay"].find((each) => each in report);
  return name ? (1000 * (report[name] - last[name])) / frames : 0;
}
