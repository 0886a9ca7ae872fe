// Snapshots and recordings of the result.

import { byId, download } from "./dom.js";

const FORMATS = [["video/mp4;codecs=avc1,mp4a.40.2", "mp4"], ["video/webm;codecs=vp9,opus", "webm"],
               ["video/webm;codecs=vp8,opus", "webm"], ["video/webm", "webm"], ["video/mp4", "mp4"]];
const BITS_PER_SECOND = 6_000_000;

/** The buttons for snapshots and recordings of a <video>. notify: shows a sentence to the user. */
export class Capture {
  #video;
  #notify;
  #recorder = null;
  #clock = byId("recording-clock");

  constructor(video, notify) {
    this.#video = video;
    this.#notify = notify;
    byId("snapshot").addEventListener("click", () => this.snapshot());
    byId("record").addEventListener("click", () => this.#recorder ? this.stop() : this.record());
    byId("record").hidden = !window.MediaRecorder;
  }

  /** Save the current frame as a PNG file. */
  snapshot() {
    const { videoWidth: width, videoHeight: height } = this.#video;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    canvas.getContext("2d").drawImage(this.#video, 0, 0);
    canvas.toBlob((blob) => {
      download(blob, `${fileName()}.png`);
      this.#notify("The snapshot is saved.");
    });
  }

  /** Record until `stop`, or until the video ends. */
  record() {
    const [type, suffix] = FORMATS.find(([format]) => MediaRecorder.isTypeSupported(format)) ?? ["", "webm"];
    const recorder = new MediaRecorder(this.#video.srcObject, {
      ...(type && { mimeType: type }), videoBitsPerSecond: BITS_PER_SECOND,
    });
    const chunks = [];
    const began = Date.now();
    const ticking = setInterval(() => this.#showTime(began), 500);
    recorder.addEventListener("dataavailable", ({ data }) => data.size && chunks.push(data));
    recorder.addEventListener("stop", () => {
      clearInterval(ticking);
      this.#setRecorder(null);
      if (chunks.length) download(new Blob(chunks, { type: recorder.mimeType }), `${fileName()}.${suffix}`);
      this.#notify(chunks.length ? "The recording is saved." : "Nothing was recorded.");
    });
    recorder.start(1000);
    this.#setRecorder(recorder);
    this.#showTime(began);
    this.#notify("Recording …");
  }

  stop() {
    if (this.#recorder?.state === "recording") this.#recorder.stop();
  }

  #setRecorder(recorder) {
    this.#recorder = recorder;
    byId("record").setAttribute("aria-pressed", String(recorder !== null));
    this.#clock.hidden = recorder === null;
  }

  #showTime(began) {
    const seconds = Math.floor((Date.now() - began) / 1000);
    this.#clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}

/** "turbolens-2026-01-31-15-04-05" */
function fileName() {
  const now = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000);
  return `turbolens-${now.toISOString().slice(0, 19).replaceAll(/[T:]/g, "-")}`;
}
