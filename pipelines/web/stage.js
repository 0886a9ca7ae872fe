// The videos before and after: aspect ratio, divider, views, mirror, full screen, picture in picture.

import { DelayedVideo } from "./delayed-video.js";
import { byId } from "./dom.js";
import { permanentStorage } from "./storage.js";

const STEP = 2; // percent for a key
const VIEW_KEY = "turbolens.view";

export class Stage {
  before = byId("before");
  after = byId("after");
  #delayed = new DelayedVideo(this.before, byId("before-delayed"));
  #element = byId("stage");
  #divider = byId("divider");

  constructor() {
    for (const video of [this.before, this.after]) {
      video.addEventListener("resize", () => this.#setAspectRatio(video));
    }
    this.after.addEventListener("playing", () => this.#setLive(true));
    this.#followPointer();
    this.#divider.addEventListener("keydown", (event) => this.#moveByKey(event));
    this.setDivider(50);
    this.#initViews();
    this.#onClick("mirror", () => this.setMirror(this.#element.dataset.mirror !== "true"));
    this.#onClick("full", () => this.#toggleFullScreen());
    this.#onClick("pip", () => this.#togglePictureInPicture());
    byId("pip").hidden = !document.pictureInPictureEnabled;
  }

  /** Show the stream that is sent. */
  showBefore(stream) {
    this.#delayed.clear();
    this.before.srcObject = stream;
  }

  /** Show the stream that is sent later by the delay of the filtered one, so that both match. */
  setDelay(milliseconds) {
    this.#delayed.setDelay(milliseconds);
  }

  /** Show the filtered stream; if null, the last frame stays. */
  showAfter(stream) {
    if (stream) this.after.srcObject = stream;
    else this.#setLive(false);
    this.#delayed.clear();
  }

  clear() {
    this.before.srcObject = this.after.srcObject = null;
    this.#delayed.clear();
    this.#setLive(false);
  }

  /** Move the divider; percent of the width from the left. */
  setDivider(percent) {
    const position = Math.min(100, Math.max(0, percent));
    this.#element.style.setProperty("--divide", `${position}%`);
    this.#divider.setAttribute("aria-valuenow", String(Math.round(position)));
    this.#divider.setAttribute("aria-valuetext", `${Math.round(position)} % before`);
  }

  setMirror(on) {
    this.#element.dataset.mirror = String(on);
    byId("mirror").setAttribute("aria-pressed", String(on));
  }

  #setLive(on) {
    this.#element.dataset.live = String(on);
    for (const id of ["snapshot", "record", "pip", "full"]) byId(id).disabled = !on;
  }

  #setAspectRatio({ videoWidth, videoHeight }) {
    if (videoWidth) this.#element.style.setProperty("--ratio", String(videoWidth / videoHeight));
  }

  #followPointer() {
    const move = ({ clientX }) => {
      const { left, width } = this.#element.getBoundingClientRect();
      this.setDivider((100 * (clientX - left)) / width);
    };
    this.#divider.addEventListener("pointerdown", (event) => {
      this.#divider.setPointerCapture(event.pointerId);
      this.#divider.addEventListener("pointermove", move);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      this.#divider.addEventListener(name, () => {
        this.#divider.removeEventListener("pointermove", move);
      });
    }
  }

  #moveByKey(event) {
    const now = Number(this.#divider.getAttribute("aria-valuenow"));
    const positions = { ArrowLeft: now - STEP, ArrowDown: now - STEP, ArrowRight: now + STEP,
                     ArrowUp: now + STEP, PageDown: now - 10, PageUp: now + 10, Home: 0, End: 100 };
    if (!(event.key in positions)) return;
    event.preventDefault();
    this.setDivider(positions[event.key]);
  }

  #initViews() {
    const choose = (view) => {
      this.#element.dataset.view = view;
      permanentStorage.set(VIEW_KEY, view);
    };
    const stored = permanentStorage.get(VIEW_KEY);
    for (const radio of byId("views").querySelectorAll("input")) {
      if (radio.value === stored) radio.checked = true;
      if (radio.checked) choose(radio.value);
      radio.addEventListener("change", () => choose(radio.value));
    }
  }

  #onClick(id, action) {
    byId(id).addEventListener("click", () => Promise.resolve(action()).catch(() => {}));
  }

  /** iPhones support full screen only for a <video>. */
  #toggleFullScreen() {
    if (document.fullscreenElement) return document.exitFullscreen();
    if (this.#element.requestFullscreen) return this.#element.requestFullscreen();
    return this.after.webkitEnterFullscreen();
  }

  #togglePictureInPicture() {
    if (document.pictureInPictureElement) return document.exitPictureInPicture();
    return this.after.requestPictureInPicture();
  }
}
