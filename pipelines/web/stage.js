// The picture before and after: shape, divider, views, mirror, full screen, picture in picture.

import { byId } from "./dom.js";
import { always } from "./memory.js";

const STEP = 2;
const VIEW_KEY = "turbolens.view";

export class Stage {
  before = byId("before");
  after = byId("after");
  #element = byId("stage");
  #divider = byId("divider");

  constructor() {
    for (const video of [this.before, this.after]) {
      video.addEventListener("resize", () => this.#shape(video));
    }
    this.after.addEventListener("playing", () => this.#live(true));
    this.#followPointer();
    this.#divider.addEventListener("keydown", (event) => this.#key(event));
    this.divide(50);
    this.#views();
    this.#button("mirror", () => this.mirror(this.#element.dataset.mirror !== "true"));
    this.#button("full", () => this.#fullScreen());
    this.#button("pip", () => this.#pictureInPicture());
    byId("pip").hidden = !document.pictureInPictureEnabled;
  }

  /** Show what is sent. */
  showBefore(stream) {
    this.before.srcObject = stream;
  }

  /** Show what comes back; the last picture stays while there is none. */
  showAfter(stream) {
    if (stream) this.after.srcObject = stream;
    else this.#live(false);
  }

  clear() {
    this.before.srcObject = this.after.srcObject = null;
    this.#live(false);
  }

  /** Put the divider at so many hundredths of the width. */
  divide(percent) {
    const place = Math.min(100, Math.max(0, percent));
    this.#element.style.setProperty("--divide", `${place}%`);
    this.#divider.setAttribute("aria-valuenow", String(Math.round(place)));
    this.#divider.setAttribute("aria-valuetext", `${Math.round(place)} % before`);
  }

  mirror(on) {
    this.#element.dataset.mirror = String(on);
    byId("mirror").setAttribute("aria-pressed", String(on));
  }

  #live(on) {
    this.#element.dataset.live = String(on);
    for (const id of ["snapshot", "record", "pip", "full"]) byId(id).disabled = !on;
  }

  #shape({ videoWidth, videoHeight }) {
    if (videoWidth) this.#element.style.setProperty("--ratio", String(videoWidth / videoHeight));
  }

  #followPointer() {
    const move = ({ clientX }) => {
      const { left, width } = this.#element.getBoundingClientRect();
      this.divide((100 * (clientX - left)) / width);
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

  #key(event) {
    const now = Number(this.#divider.getAttribute("aria-valuenow"));
    const places = { ArrowLeft: now - STEP, ArrowDown: now - STEP, ArrowRight: now + STEP,
                     ArrowUp: now + STEP, PageDown: now - 10, PageUp: now + 10, Home: 0, End: 100 };
    if (!(event.key in places)) return;
    event.preventDefault();
    this.divide(places[event.key]);
  }

  #views() {
    const choose = (view) => {
      this.#element.dataset.view = view;
      always.keep(VIEW_KEY, view);
    };
    const kept = always.kept(VIEW_KEY);
    for (const radio of byId("views").querySelectorAll("input")) {
      if (radio.value === kept) radio.checked = true;
      if (radio.checked) choose(radio.value);
      radio.addEventListener("change", () => choose(radio.value));
    }
  }

  #button(id, act) {
    byId(id).addEventListener("click", () => Promise.resolve(act()).catch(() => {}));
  }

  /** iPhones give the whole screen to a video only. */
  #fullScreen() {
    if (document.fullscreenElement) return document.exitFullscreen();
    if (this.#element.requestFullscreen) return this.#element.requestFullscreen();
    return this.after.webkitEnterFullscreen();
  }

  #pictureInPicture() {
    if (document.pictureInPictureElement) return document.exitPictureInPicture();
    return this.after.requestPictureInPicture();
  }
}
